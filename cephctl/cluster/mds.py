"""MDS ranks, standbys, clients and what is wrong with them; read from the monitors, so that it
works without a mgr.
"""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from cephctl.ceph.commands import Cluster
from cephctl.cluster.health import findings, health_of
from cephctl.errors import CephctlError
from cephctl.parse import Json
from cephctl.results import (
    Column,
    Finding,
    Kind,
    Outcome,
    Record,
    Severity,
    status_of_findings,
)

if TYPE_CHECKING:
    from cephctl.deps import Ask

STANDBY_STATES = ("up:standby", "up:standby-replay")


@dataclass(frozen=True)
class MdsDaemon(Record):
    """One MDS, or a rank that has none (`name` is None). `clients` is None where the MDS was not
    asked or did not answer.
    """

    file_system: str | None
    rank: int | None
    name: str | None
    state: str
    clients: int | None
    address: str | None
    laggy: bool

    columns = (
        Column("file_system", "FILE SYSTEM"),
        Column("rank", "RANK", Kind.COUNT),
        Column("name", "MDS"),
        Column("state", "STATE", Kind.STATE),
        Column("laggy", "LAGGY"),
        Column("clients", "CLIENTS", Kind.COUNT),
        Column("address", "ADDRESS"),
    )

    @property
    def is_active(self) -> bool:
        return self.state == "up:active"

    @property
    def has_rank(self) -> bool:
        """Whether it holds a rank, active or on its way to it."""
        return self.rank is not None and self.name is not None and self.state not in STANDBY_STATES


@dataclass(frozen=True)
class MdsStatus(Record):
    """Every MDS and rank of the cluster, and the findings that concern them."""

    daemons: tuple[MdsDaemon, ...]
    findings: tuple[Finding, ...]

    sections = (("daemons", MdsDaemon), ("findings", Finding))


def read_status(cluster: Cluster) -> Generator[MdsStatus | tuple[str, int]]:
    """First the status as the monitors have it, then a pair (MDS, number of clients) from each
    active MDS that answers.
    """
    dump = cluster.command("fs dump")
    health = cluster.command("health", detail="detail")
    status = status_of(dump, health)
    yield status
    for daemon in status.daemons:
        if daemon.is_active and daemon.name and not daemon.laggy:
            counters = cluster.mds_command(daemon.name, "perf dump", logger="mds_sessions")
            yield daemon.name, counters["mds_sessions"]["session_count"]


def status_as_asked(ask: Ask, threshold: Severity | None) -> Outcome:
    """The status, with the clients of those MDS that told them; when one hangs, its error too."""
    answers = ask(read_status)
    status: MdsStatus = next(answers)
    clients: dict[str, int] = {}
    try:
        for answer in answers:
            clients |= [answer]
    except CephctlError as error:
        return Outcome(with_clients(status, clients), error.status, (error,))
    code = status_of_findings(status.findings, threshold)
    return Outcome(with_clients(status, clients), code)


def with_clients(status: MdsStatus, clients: dict[str, int]) -> MdsStatus:
    daemons = (replace(daemon, clients=clients.get(daemon.name or "")) for daemon in status.daemons)
    return replace(status, daemons=tuple(daemons))


def status_of(dump: Json, health: Json) -> MdsStatus:
    """The two answers of the monitors, judged.

    Ceph's own checks of MDS and file systems are taken over; a rank without a standby is
    ours to say: Ceph warns of it only where `standby_count_wanted` asks for one.
    """
    daemons = tuple(all_daemons(dump))
    known = [
        finding
        for finding in findings(health_of(health))
        if finding.code.startswith(("MDS_", "FS_"))
    ]
    if not dump["filesystems"]:
        known.append(Finding("FS_NONE", Severity.WARN, "there is no file system"))
    known = [*(finding for _, finding in laggy_ranks(daemons)), *known]
    if "MDS_INSUFFICIENT_STANDBY" not in (finding.code for finding in known):
        known += single_points(daemons)
    return MdsStatus(daemons, tuple(known))


def laggy_ranks(daemons: Sequence[MdsDaemon]) -> Iterator[tuple[MdsDaemon, Finding]]:
    """MDS with a rank that have sent no beacons for a while, and the finding: their clients
    hang.
    """
    for daemon in daemons:
        if daemon.laggy and daemon.rank is not None:
            finding = Finding(
                "MDS_LAGGY",
                Severity.ERR,
                f"mds.{daemon.name} of rank {daemon.rank} is laggy: it sends no beacons",
                ("its clients hang until it answers or a standby takes over",),
            )
            yield daemon, finding


def single_points(daemons: Sequence[MdsDaemon]) -> Iterator[Finding]:
    """Active ranks without a standby: neither one for all ranks, nor a standby-replay of this very
    rank.
    """
    if any(daemon.state == "up:standby" for daemon in daemons):
        return
    followed = {
        (daemon.file_system, daemon.rank)
        for daemon in daemons
        if daemon.state == "up:standby-replay"
    }
    alone = [
        f"mds.{d.name}" for d in daemons if d.is_active and (d.file_system, d.rank) not in followed
    ]
    if alone:
        yield Finding(
            "MDS_NO_STANDBY",
            Severity.WARN,
            f"no standby MDS: {', '.join(alone)} is a single point of failure",
            ("when it fails, all mounts hang until an MDS is started",),
        )


def all_daemons(dump: Json) -> Iterator[MdsDaemon]:
    for system in dump["filesystems"]:
        mdsmap = system["mdsmap"]
        name = mdsmap["fs_name"]
        infos = sorted(
            mdsmap["info"].values(),
            key=lambda info: (info["rank"], info["state"] in STANDBY_STATES),
        )
        held = {info["rank"] for info in infos if info["state"] not in STANDBY_STATES}
        for rank in sorted({*mdsmap["in"], *mdsmap["failed"], *mdsmap["damaged"]} - held):
            state = "damaged" if rank in mdsmap["damaged"] else "failed"
            yield MdsDaemon(name, rank, None, state, None, None, laggy=False)
        yield from (daemon_of(info, name) for info in infos)
    yield from (
        daemon_of(info, None) for info in sorted(dump["standbys"], key=lambda info: info["name"])
    )


def daemon_of(info: Json, file_system: str | None) -> MdsDaemon:
    rank = info["rank"] if info["rank"] >= 0 else None
    laggy = "laggy_since" in info
    return MdsDaemon(
        file_system, rank, info["name"], info["state"], None, info["addr"].partition("/")[0], laggy
    )
