"""Checks of the MDS and their ranks, as the monitors report them."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.cluster.mds import laggy_ranks, single_points
from cephctl.doctor.check import Layer, Problem, Scope, check
from cephctl.doctor.checks.cluster import host, of_ceph, restart
from cephctl.doctor.view import View
from cephctl.remedy import here
from cephctl.results import Severity


@check(
    "MDS_ALL_DOWN",
    "No MDS is active",
    Layer.MDS,
    needs=("cluster.file_systems", "cluster.daemons"),
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def mds_all_down(view: View) -> Iterator[Problem]:
    """No daemon has a rank of the file system: everything but df hangs, and new mounts fail.

    Start an MDS. If the file system is not joinable (`fs fail`, maintenance), allow MDS to join
    again.
    """
    for system in view.file_systems:
        ranks = [each for each in view.daemons if each.file_system == system.name and each.has_rank]
        if ranks:
            continue
        line = f"file system {system.name}: no rank has an MDS"
        join = (here("ceph", "fs", "set", system.name, "joinable", "true"),)
        yield Problem(
            f"file system {system.name} has no MDS",
            cluster=(line,) if system.joinable else (line, "it is not joinable"),
            remedy=restart("mds", "start") if system.joinable else join,
            host="the hosts of the MDS" if system.joinable else None,
        )


@check(
    "MDS_LAGGY",
    "An MDS is laggy",
    Layer.MDS,
    needs=("cluster.daemons",),
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def mds_laggy(view: View) -> Iterator[Problem]:
    """It has a rank, has sent no beacon for 15 s, and no standby could take over.

    Its clients hang until it answers or another MDS is started.
    """
    for daemon, finding in laggy_ranks(view.daemons):
        name = f"mds.{daemon.name}"
        yield of_ceph(
            finding,
            cluster=(f"{name} {daemon.state}, laggy",),
            remedy=restart(name),
            host=host(name, daemon.address),
        )


@check(
    "MDS_RECOVERING",
    "An MDS is taking over a rank",
    Layer.MDS,
    needs=("cluster.daemons",),
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def mds_recovering(view: View) -> Iterator[Problem]:
    """A failover is in progress (replay, reconnect, rejoin, clientreplay): clients hang until the
    rank is active, usually seconds.

    A client that does not reconnect within 45 s is evicted and needs a remount. Wait, then run the
    doctor again.
    """
    for daemon in view.daemons:
        if daemon.has_rank and not daemon.is_active and not daemon.laggy:
            yield Problem(
                f"mds.{daemon.name} is taking over rank {daemon.rank} ({daemon.state})",
                cluster=(f"mds.{daemon.name} {daemon.state}",),
                remedy=(here("cephctl", "mds", "status", changes=False),),
            )


@check(
    "MDS_NO_STANDBY",
    "No standby MDS",
    Layer.MDS,
    severity=Severity.WARN,
    needs=("cluster.daemons",),
    scope=Scope.CLUSTER,
)
def mds_no_standby(view: View) -> Iterator[Problem]:
    """An active MDS without a standby is a single point of failure: when it fails, all mounts hang
    until one is started.

    Ceph itself warns only where standby_count_wanted asks for one. A standby-replay MDS stands by
    for its own rank alone.
    """
    for finding in single_points(view.daemons):
        yield of_ceph(finding, remedy=restart("mds", "start"), host="the hosts of the MDS")
