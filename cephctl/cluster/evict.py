"""Evict one client: end its session at every MDS that has it."""

from __future__ import annotations

from collections.abc import Generator, Sequence
from dataclasses import dataclass
from functools import partial

from cephctl.ceph.commands import Cluster, evict_session
from cephctl.cluster.sessions import MdsSession, read_sessions
from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.errors import NotFound, Refused, UnexpectedAnswer
from cephctl.results import Column, Outcome, Proposal, Record, Table


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
    """Evict by id, at every MDS that has the session, and see it gone. Without a filter 16.2 would
    evict everybody.
    """
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


def propose(deps: Deps, whom: str) -> Proposal:
    """Evict the client of a node, or the one with this ID."""
    [found] = deps.ask(partial(find_client, whom, deps.nodes))
    return Proposal(
        shown=Table(Eviction, (found,)),
        question=f"Evict client {found.id}? Its mount fails until it is remounted.",
        execute=partial(execute, deps, found),
    )


def execute(deps: Deps, client: Eviction) -> Outcome:
    done = tuple(deps.ask(partial(evict, client, deps.nodes)))
    again = f"cephctl node remount {client.node}" if client.node else "mount it again"
    return Outcome(Table(Eviction, done), notes=(f"its mount fails now; to fix it: {again}",))
