"""End one client's session, or make an MDS give up its rank."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from typing import Any

from cephctl.ceph.commands import Cluster, evict_session
from cephctl.ceph.messages import Waiting
from cephctl.cluster.mds import MdsDaemon, all_daemons
from cephctl.cluster.sessions import MdsSession, read_sessions
from cephctl.config import Node
from cephctl.errors import NotFound, Refused, UnexpectedAnswer
from cephctl.results import Column, Record

TAKEOVER_SECONDS = 60


@dataclass(frozen=True)
class Eviction(Record):
    """A client, before it is evicted or after."""

    id: int
    node: str | None
    hostname: str | None
    entity: str
    address: str
    mds: tuple[str, ...]
    evicted: bool

    columns = (
        Column("id", "ID"),
        Column("node", "NODE"),
        Column("hostname", "HOST NAME"),
        Column("entity", "ENTITY"),
        Column("address", "ADDRESS"),
        Column("mds", "MDS"),
        Column("evicted", "EVICTED"),
    )


@dataclass(frozen=True)
class Failover(Record):
    """A rank, who holds it, and who is to take it over; after the fact, who did, and after how many seconds."""

    file_system: str | None
    rank: int | None
    before: str
    after: str | None
    seconds: float | None

    columns = (
        Column("file_system", "FILE SYSTEM"),
        Column("rank", "RANK"),
        Column("before", "MDS"),
        Column("after", "TAKEN OVER BY"),
        Column("seconds", "SECONDS"),
    )


def find_client(whom: str, inventory: Sequence[Node], cluster: Cluster) -> Generator[Eviction]:
    """The one client that is meant, by node or by id; more than one, or none, is refused."""
    found = list(read_sessions(inventory, (), cluster))
    mine = [
        each for each in found if (str(each.id) == whom if whom.isdigit() else each.node == whom)
    ]
    clients = {
        each.address: [other for other in mine if other.address == each.address] for each in mine
    }
    if not clients:
        raise NotFound(
            f"no MDS session of {'client ' if whom.isdigit() else ''}{whom}",
            "see 'cephctl mds sessions'",
        )
    if len(clients) > 1:
        lines = [
            f"{group[0].id}: {address}, {group[0].entity}, {group[0].state}"
            for address, group in clients.items()
        ]
        raise Refused(f"{whom} has {len(clients)} clients; name one by its id", "\n".join(lines))
    [group] = clients.values()
    yield eviction(group, evicted=False)


def eviction(group: Sequence[MdsSession], evicted: bool) -> Eviction:
    first = group[0]
    return Eviction(
        first.id,
        first.node,
        first.hostname,
        first.entity,
        first.address,
        tuple(each.mds for each in group),
        evicted,
    )


def evict(client: Eviction, inventory: Sequence[Node], cluster: Cluster) -> Generator[Eviction]:
    """Evict by id, at every MDS that has the session, and see it gone. Without a filter 16.2 would evict everybody."""
    for mds in client.mds:
        evict_session(cluster, mds, client.id)
    left = [
        each for each in read_sessions(inventory, (), cluster) if each.address == client.address
    ]
    if left:
        raise UnexpectedAnswer(
            f"mds.{left[0].mds} still has session {client.id} after the eviction"
        )
    yield Eviction(
        client.id,
        client.node,
        client.hostname,
        client.entity,
        client.address,
        client.mds,
        evicted=True,
    )


def find_rank(whom: str, cluster: Cluster) -> Generator[Failover]:
    """The rank that is meant, by MDS name or rank number, and the standby that would take it over."""
    daemons = list(all_daemons(cluster.command("fs dump")))
    holders = [
        each
        for each in daemons
        if each.rank is not None
        and each.name
        and each.state not in ("up:standby", "up:standby-replay")
    ]
    mine = [
        each
        for each in holders
        if whom.removeprefix("mds.") == each.name or (whom.isdigit() and each.rank == int(whom))
    ]
    if not mine:
        names = (
            ", ".join(f"mds.{each.name} (rank {each.rank})" for each in holders)
            or "none holds a rank"
        )
        raise NotFound(f"no MDS {whom} that holds a rank", f"there are: {names}")
    if len(mine) > 1:
        raise Refused(
            f"rank {whom} is held in {len(mine)} file systems; name the MDS",
            ", ".join(f"mds.{each.name}" for each in mine),
        )
    yield Failover(
        mine[0].file_system, mine[0].rank, mine[0].name or "", successor(daemons, mine[0]), None
    )


def successor(daemons: Sequence[MdsDaemon], holder: MdsDaemon) -> str | None:
    followers = [
        each
        for each in daemons
        if each.state == "up:standby-replay"
        and (each.file_system, each.rank) == (holder.file_system, holder.rank)
    ]
    spare = [each for each in daemons if each.state == "up:standby"]
    return next((each.name for each in (*followers, *spare)), None)


def fail(rank: Failover, force: bool, cluster: Cluster) -> Generator[Failover]:
    """Fail the MDS, and wait until the rank is active again."""
    arguments: dict[str, Any] = {"role_or_gid": rank.before}
    if force:
        arguments["yes_i_really_mean_it"] = True
    cluster.command("mds fail", **arguments)
    begun, gone = time.monotonic(), False
    while time.monotonic() < begun + TAKEOVER_SECONDS:
        cluster.report(Waiting(f"rank {rank.rank}", "become active again"))
        daemons = all_daemons(cluster.command("fs dump"))
        active = [
            each.name
            for each in daemons
            if each.is_active and (each.file_system, each.rank) == (rank.file_system, rank.rank)
        ]
        # The same one may take it again, restarted: then it was away in between.
        if active and (gone or active != [rank.before]):
            yield Failover(
                rank.file_system,
                rank.rank,
                rank.before,
                active[0],
                round(time.monotonic() - begun, 1),
            )
            return
        gone = gone or not active
        time.sleep(0.2)
    yield Failover(rank.file_system, rank.rank, rank.before, None, None)
