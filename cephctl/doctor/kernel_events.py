"""What the kernel's messages about Ceph mean: a table, and how to read a log with it."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from cephctl.doctor.facts import KernelLine

# Pattern, name of the event, and the events it ends; the first pattern that fits counts. The
# wording is that of
# net/ceph and fs/ceph of Linux 5.4 to 6.12; newer kernels put "[fsid client]: " behind the module's
# name.
TABLE: tuple[tuple[str, str, tuple[str, ...]], ...] = (
    (r"auth (protocol|method) '(cephx|x)' .*authentication failed: -13", "auth_refused", ()),
    (r"auth protocol 'cephx' authorization to (osd|mds)\d+ failed", "ticket_refused", ()),
    (r"mon\d+ .*session established", "mon_established", ("auth_refused", "ticket_refused")),
    (r"bad fsid", "bad_fsid", ()),
    (r"mds\d+ closed our session", "session_closed", ()),
    (r"mds\d+ reconnect denied", "reconnect_denied", ()),
    (
        r"mds\d+ reconnect success",
        "reconnected",
        ("session_closed", "reconnect_denied", "mds_hung"),
    ),
    (r"auto reconnect after blocklisted", "auto_reconnected", ("reconnect_denied",)),
    (r"mds\d+ hung", "mds_hung", ()),
    (r"mds\d+ caps (renewed|went stale, renewing)", "caps_renewed", ("mds_hung",)),
    (r"mds\d+ (came back|recovery completed)", "mds_back", ("mds_hung",)),
    (r"dropping (dirty|unsafe request)", "data_dropped", ()),
    (r"dropping file locks", "locks_dropped", ()),
    (r"feature set mismatch|missing required protocol features", "features_missing", ()),
    (r"pool does not exist", "pool_missing", ()),
    (
        r"Shutting down mount|corrupt (mdsmap|snap)|error decoding (fsmap|mdsmap)",
        "fenced_itself",
        (),
    ),
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

    @property
    def line(self) -> str:
        return f"kernel log: {self.text}"


def events(lines: Iterable[KernelLine], since: float | None) -> dict[str, Event]:
    """The events that still hold, by name: of lines not older than `since` seconds (None: all).

    >>> log = [KernelLine(9.0, "ceph: mds0 hung")]
    >>> sorted(events(log, None))
    ['mds_hung']
    >>> sorted(events([*log, KernelLine(1.0, "ceph: mds0 came back")], None))
    ['mds_back']
    """
    found: dict[str, Event] = {}
    for line in lines:
        if since is not None and line.age > since:
            continue
        for pattern, name, ends in PATTERNS:
            if pattern.search(line.text):
                for other in ends:
                    found.pop(other, None)
                count = found[name].count + 1 if name in found else 1
                found[name] = Event(count, line.age, line.text)
                break
    return found
