"""Checks of the OSD map, of pools, and of Ceph's own health."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cephctl.cluster.health import findings
from cephctl.doctor.check import Layer, Problem, Scope, check
from cephctl.doctor.checks.cluster import of_ceph
from cephctl.doctor.view import View, known
from cephctl.parse import Unreadable
from cephctl.remedy import here
from cephctl.results import Severity

# Ceph's health codes that concern a mount, by their beginning, and where the cause lies. All others
# are shown by
# `cluster status`.
CONCERNING = (
    ("MON_", Layer.NETWORK),
    ("AUTH_", Layer.MDS),
    ("MDS_", Layer.MDS),
    ("FS_", Layer.MDS),
    ("OSD_", Layer.OSD),
    ("PG_", Layer.OSD),
    ("POOL_FULL", Layer.OSD),
    ("POOL_NEAR_FULL", Layer.OSD),
    ("POOL_BACKFILLFULL", Layer.OSD),
    ("POOL_NO_REDUNDANCY", Layer.OSD),
    ("SLOW_OPS", Layer.OSD),
    ("OBJECT_", Layer.OSD),
    ("LARGE_OMAP", Layer.OSD),
    ("BLUESTORE", Layer.OSD),
    ("BLUEFS", Layer.OSD),
)
# Another check reports these with the evidence of both sides.
OURS = ("MDS_ALL_DOWN",)


@check(
    "OSD_WRITES_STOPPED",
    "A flag of the OSD map stops writes",
    Layer.OSD,
    needs=("cluster.osdmap",),
    scope=Scope.CLUSTER,
)
def osd_writes_stopped(view: View) -> Iterator[Problem]:
    """full, pausewr or pauserd is set: writes (or reads) fail with ENOSPC or wait.

    Ceph sets `full` at 95 % (mon_osd_full_ratio) and clears it when space is freed. Pause flags are
    set and cleared by hand.
    """
    flags = [flag for flag in view.osdmap.flags if flag in ("full", "pausewr", "pauserd")]
    if flags:
        what = "pause" if flags[0].startswith("pause") else "full"
        yield Problem(
            f"the OSD map has the flag {', '.join(flags)}",
            cluster=(f"flags {', '.join(flags)}",),
            remedy=(here("ceph", "osd", "unset", what),),
        )


@check(
    "DATA_POOL_FULL",
    "A pool of the file system is full",
    Layer.OSD,
    needs=("cluster.osdmap", "cluster.file_systems"),
    scope=Scope.CLUSTER,
)
def data_pool_full(view: View) -> Iterator[Problem]:
    """The pool reached its quota (pool quotas set the flag too), or its OSDs are full: writes fail
    with ENOSPC or EDQUOT.

    Add space, delete, or remove the pool's quota.
    """
    used = {
        pool for system in view.file_systems for pool in (*system.data_pools, system.metadata_pool)
    }
    for pool in view.osdmap.pools:
        if pool.full and pool.id in used:
            yield Problem(
                f"pool {pool.name} is full or reached its quota",
                cluster=(f"pool {pool.name}: full",),
                remedy=(here("ceph", "osd", "pool", "set-quota", pool.name, "max_bytes", "0"),),
            )


@check(
    "POOL_MISSING",
    "The client writes to a pool that does not exist",
    Layer.OSD,
    needs=("kernel_log", "cluster.osdmap"),
    remedy=(here("ceph", "osd", "pool", "ls", "detail", changes=False),),
)
def pool_missing(view: View) -> Iterator[Problem]:
    """A pool was removed while a directory's layout still names it: only access to files there
    hangs or fails.

    Find the directory (getfattr -n ceph.dir.layout) and set another pool.
    """
    if event := view.events.get("pool_missing"):
        yield Problem("the kernel client requests a pool that does not exist", node=(event.line,))


@check(
    "CEPH_HEALTH",
    "Ceph reports a health warning or error",
    Layer.MDS,
    severity=Severity.WARN,
    needs=("cluster.health",),
    remedy=(here("ceph", "health", "detail", changes=False),),
    scope=Scope.CLUSTER,
)
def ceph_health(view: View) -> Iterator[Problem]:
    """What `ceph health detail` reports that concerns a mount, each under Ceph's own code: MDS_*,
    FS_*, OSD_*, PG_*, MON_* and others.

    Ceph's documentation of health checks explains the codes. A client that does not release caps
    (MDS_CLIENT_LATE_RELEASE) is named with its host.
    """
    if isinstance(view.cluster.health, Unreadable):
        return
    for finding in sorted(findings(view.cluster.health), key=lambda each: each.code):
        layer = next((layer for start, layer in CONCERNING if finding.code.startswith(start)), None)
        if layer is not None and finding.code not in OURS:
            detail = tuple(with_host(view, line) for line in finding.detail[:3])
            yield of_ceph(finding, cluster=detail, layer=layer)


def with_host(view: View, message: str) -> str:
    """A message of Ceph's about a client, with the host that the client is."""
    match = re.search(r"client_id: (\d+)", message)
    hosts = {str(each.id): each.hostname for each in known(view.cluster.sessions, ())}
    name = hosts.get(match[1]) if match else None
    return f"{message} (host {name})" if name and name not in message else message
