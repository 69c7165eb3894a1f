"""What the kernel's messages about Ceph mean: a table, and how to read a log with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

# Pattern, name of the event, and the events it ends. The wording is that of net/ceph and fs/ceph of Linux 5.4 to 6.12;
# newer kernels put "[fsid client]: " behind the module's name.
TABLE = (
    (r"auth (protocol|method) '(cephx|x)' .*authentication failed: -13", "auth_refused", ()),
    (r"auth protocol 'cephx' authorization to (osd|mds)\d+ failed", "ticket_refused", ()),
    (r"mon\d+ .*session lost, hunting", "mon_lost", ()),
    (
        r"mon\d+ .*session established",
        "mon_established",
        (
            "auth_refused",
            "ticket_refused",
            "mon_lost",
            "connect_failed",
            "msgr1_peer",
            "no_banner",
            "refused",
        ),
    ),
    (r"no secret set \(for auth_x protocol\)", "no_secret", ()),
    (r"bad fsid", "bad_fsid", ()),
    (r"No mds server is up or the cluster is laggy", "no_mds", ()),
    (r"mds\d+ session blocklisted", "blocklisted", ()),
    (r"mds\d+ rejected session", "rejected", ()),
    (r"mds\d+ closed our session", "session_closed", ()),
    (r"mds\d+ reconnect denied", "reconnect_denied", ()),
    (
        r"mds\d+ reconnect success",
        "reconnected",
        ("session_closed", "reconnect_denied", "mds_hung"),
    ),
    (
        r"auto reconnect after blocklisted",
        "auto_reconnected",
        ("blocklisted", "rejected", "reconnect_denied"),
    ),
    (r"mds\d+ hung", "mds_hung", ()),
    (r"mds\d+ caps stale", "caps_stale", ()),
    (r"mds\d+ caps (renewed|went stale, renewing)", "caps_renewed", ("caps_stale", "mds_hung")),
    (r"mds\d+ (came back|recovery completed)", "mds_back", ("mds_hung", "caps_stale")),
    (r"dropping (dirty|unsafe request)", "data_dropped", ()),
    (r"dropping file locks", "locks_dropped", ()),
    (r"server is speaking msgr1 protocol", "msgr1_peer", ()),
    (r"socket closed \(con state V[12]_BANNER", "no_banner", ()),
    (r"socket error on write|connect .*error -111|con state CONNECTING", "refused", ()),
    (r"connect .*error -\d+|connect error", "connect_failed", ()),
    (r"feature set mismatch|missing required protocol features", "features_missing", ()),
    (r"wrong peer", "wrong_peer", ()),
    (r"cluster is full|pool \d+ is full|reached quota", "full", ()),
    (r"pool does not exist", "pool_missing", ()),
    (
        r"Shutting down mount|corrupt (mdsmap|snap)|error decoding (fsmap|mdsmap)",
        "fenced_itself",
        (),
    ),
    (r"umount timed out", "umount_timeout", ()),
    (r"inode \S+ is shut down|ceph_do_invalidate_pages: inode", "shut_down", ()),
    (r"Failed due to (key not found|expired key|revoked key)", "kernel_key", ()),
    (r"(?:Unknown|unknown|unrecognized) (?:parameter|mount option)", "unknown_option", ()),
    (r"blocked for more than \d+ seconds", "hung_task", ()),
)
PATTERNS = [(re.compile(pattern), name, ends) for pattern, name, ends in TABLE]


@dataclass(frozen=True)
class Event:
    """One kind of message: how often, how many seconds ago the last of them, and its text."""

    count: int
    age: float
    text: str


def events(lines: Iterable[Any], since: float | None) -> dict[str, Event]:
    """The events that still hold, by name: of lines not older than `since` seconds (None: all).

    >>> log = [{"age": 9.0, "text": "libceph: mon0 x session lost, hunting for new mon"}]
    >>> sorted(events(log, None)), sorted(events([*log, {"age": 1.0, "text": "libceph: mon0 x session established"}], None))
    (['mon_lost'], ['mon_established'])
    """
    found: dict[str, Event] = {}
    for line in lines:
        if since is not None and line["age"] > since:
            continue
        for pattern, name, ends in PATTERNS:
            if pattern.search(line["text"]):
                for other in ends:
                    found.pop(other, None)
                count = found[name].count + 1 if name in found else 1
                found[name] = Event(count, line["age"], line["text"])
                break
    return found
