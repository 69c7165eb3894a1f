"""Patterns over several nodes, which no node shows alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime

from cephctl.doctor.check import Layer, Problem, Scope, check
from cephctl.doctor.view import View
from cephctl.remedy import here
from cephctl.results import Severity

SAME_SECONDS = 5
MIN_NODES = 3


@check(
    "FLEET_EVICTED",
    "All nodes were evicted at once",
    Layer.BLOCKLIST,
    severity=Severity.WARN,
    needs=("cluster.osdmap",),
    scope=Scope.CLUSTER,
)
def fleet_evicted(view: View) -> Iterator[Problem]:
    """Every node's client is blocklisted with nearly the same expiry: one command or one event, not
    a coincidence.

    Typical: `client evict` without a filter (on 16.2 it evicts all), a network fence, or a network
    failure of all nodes. Remount all, one after the other, and find out who did it (ceph log last
    100, audit).
    """
    entries = {
        each.node.name: view.blocklist[each.instance]
        for each in view.fleet
        if each.instance in view.blocklist and each.instance
    }
    mounted = [each for each in view.fleet if each.is_mounted]
    if len(entries) > 1 and len(entries) == len(mounted):
        times = [datetime.fromisoformat(text.replace("Z", "+00:00")) for text in entries.values()]
        if (max(times) - min(times)).total_seconds() <= SAME_SECONDS:
            yield Problem(
                f"all {len(entries)} nodes were evicted within {SAME_SECONDS} s",
                cluster=tuple(f"{name}: until {until}" for name, until in entries.items()),
                remedy=(here("cephctl", "node", "remount", *entries),),
            )


TRAITS: tuple[tuple[str, Callable[[View], str | None]], ...] = (
    ("kernel", lambda view: view.host.kernel),
    ("ceph-common", lambda view: view.host.ceph_common),
    ("key", lambda view: view.files.secret.fingerprint),
    ("unit's What=", lambda view: view.unit.file.get("What")),
    ("unit's Options=", lambda view: view.unit.file.get("Options")),
    ("fsid in ceph.conf", lambda view: view.files.conf.fsid),
)


@check(
    "NODE_DIFFERS",
    "One node differs from the others of its shard",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("host",),
)
def node_differs(view: View) -> Iterator[Problem]:
    """Kernel, ceph-common, key, unit or ceph.conf of this node differ from all others of its shard,
    which agree.

    The node was left out of a rollout, or is the first one of it.
    """
    others = [
        each
        for each in view.fleet
        if each.node.shard == view.node.shard and each.node.name != view.node.name
    ]
    others = [each for each in others if each.host.kernel]
    if len(others) + 1 < MIN_NODES:
        return
    for name, trait in TRAITS:
        own, theirs = trait(view), Counter(trait(each) for each in others)
        common = next(iter(theirs))
        if len(theirs) == 1 and own and common and own != common:
            yield Problem(f"its {name} is {own}, the others' is {common}")
