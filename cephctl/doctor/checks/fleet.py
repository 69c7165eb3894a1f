"""Patterns over several nodes, which no node shows alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from cephctl.doctor.check import Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

SAME_SECONDS = 5
SMALLEST_FLEET = 3


@check(
    "FLEET_EVICTED",
    "All nodes were evicted at once",
    Layer.BLOCKLIST,
    severity=Severity.WARN,
    needs=("cluster.osdmap",),
    wide=True,
)
def fleet_evicted(view: View) -> Iterator[Problem]:
    """Every node's client is blocklisted with nearly the same expiry: no coincidence of three clients, but one command or one event:
    `session evict` without a filter (on 16.2 it evicts everybody), a network fence, or a partition of all of them. Remount all,
    one after the other, and look who did it (ceph log last 100, audit).
    """
    blocklist = view.known("osdmap").get("blocklist", {})
    entries = {
        each.node.name: blocklist[each.instance]
        for each in view.fleet
        if each.instance in blocklist
    }
    mounted = [each for each in view.fleet if each.is_mounted]
    if len(entries) > 1 and len(entries) == len(mounted):
        times = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in entries.values()]
        if (max(times) - min(times)).total_seconds() <= SAME_SECONDS:
            yield Problem(
                f"all {len(entries)} nodes were evicted within {SAME_SECONDS} s of each other",
                cluster=tuple(f"{name}: until {until}" for name, until in entries.items()),
                remedy=f"cephctl node remount {' '.join(entries)}",
            )


TRAITS: tuple[tuple[str, Callable[[View], Any]], ...] = (
    ("kernel", lambda view: view.section("host").get("kernel")),
    ("ceph-common", lambda view: view.section("host").get("ceph_common")),
    ("key", lambda view: view.files.get("secret", {}).get("fingerprint")),
    ("unit's What=", lambda view: view.unit_file.get("What")),
    ("unit's Options=", lambda view: view.unit_file.get("Options")),
    ("fsid in ceph.conf", lambda view: view.files.get("conf", {}).get("fsid")),
)


@check(
    "NODE_DIFFERS",
    "One node is not like the others of its shard",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("host",),
)
def node_differs(view: View) -> Iterator[Problem]:
    """Kernel, ceph-common, key, unit or ceph.conf of this node differ from all the others of its shard, which agree: a node that was
    forgotten in a roll-out, or the first of one.
    """
    others = [
        each
        for each in view.fleet
        if each.node.shard == view.node.shard and each is not view and each.section("host")
    ]
    if len(others) + 1 < SMALLEST_FLEET:
        return
    for name, trait in TRAITS:
        own, theirs = trait(view), Counter(trait(each) for each in others)
        if len(theirs) == 1 and own not in theirs and own and next(iter(theirs)):
            yield Problem(f"its {name} is {own}, the others' is {next(iter(theirs))}")
