"""Entities, their keys by age and fingerprint, and who uses them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cephctl.ceph.commands import Cluster
from cephctl.ceph.keys import Entity, find_entity, read_entities
from cephctl.cephx import keyring_text
from cephctl.cluster.sessions import MdsSession, read_sessions
from cephctl.config import Node
from cephctl.errors import CephctlError, Denied, NotFound
from cephctl.results import Column, Kind, Outcome, Record, Table


@dataclass(frozen=True)
class KeyRow(Record):
    """An entity and its key. `sessions` counts its MDS sessions, None when no MDS could be asked;
    `used_by` are hosts.
    """

    entity: str
    type: str
    fingerprint: str
    created: datetime
    pending: bool
    sessions: int | None
    used_by: tuple[str, ...]

    columns = (
        Column("entity", "ENTITY"),
        Column("type", "TYPE"),
        Column("fingerprint", "KEY"),
        Column("created", "CREATED", Kind.AGO),
        Column("pending", "PENDING"),
        Column("sessions", "SESSIONS", Kind.COUNT),
        Column("used_by", "USED BY"),
    )


@dataclass(frozen=True)
class Cap(Record):
    """The caps of one service."""

    service: str
    caps: str

    columns = (Column("service", "SERVICE"), Column("caps", "CAPS"))


@dataclass(frozen=True)
class KeyDetail(Record):
    """An entity with its caps and its sessions. `predating` are the ids of sessions that were
    opened before its key was made.
    """

    entity: str
    type: str
    fingerprint: str
    created: datetime
    pending: bool
    predating: tuple[int, ...]
    caps: tuple[Cap, ...]
    sessions: tuple[MdsSession, ...]

    columns = (
        Column("entity", "ENTITY"),
        Column("type", "TYPE"),
        Column("fingerprint", "KEY"),
        Column("created", "CREATED", Kind.AGO),
        Column("pending", "PENDING"),
        Column("predating", "OLDER SESSIONS"),
    )
    sections = (("caps", Cap), ("sessions", MdsSession))


def list_keys(
    inventory: Sequence[Node], everything: bool, fallback: str, cluster: Cluster
) -> Generator[KeyRow | CephctlError]:
    """Clients' entities, or all; without the right to list them, the one that the web nodes use,
    and why it is only that.
    """
    problem: CephctlError | None = None
    try:
        entities = list(read_entities(cluster))
    except Denied as error:
        problem = error
        entities = [each for each in [find_entity(fallback, cluster)] if each]
    sessions = sessions_of(inventory, cluster)
    for each in entities:
        if everything or each.name.startswith("client."):
            yield key_row(each, sessions)
    if problem:
        yield problem


def shown(answers: Iterator[KeyRow | CephctlError]) -> Outcome:
    """The rows; with the reason when they are not all."""
    found = list(answers)
    rows = tuple(each for each in found if isinstance(each, KeyRow))
    reasons = (each for each in found if isinstance(each, CephctlError))
    notes = tuple(f"only the web nodes' entity is shown: {each}" for each in reasons)
    return Outcome(Table(KeyRow, rows), notes=notes)


def sessions_of(inventory: Sequence[Node], cluster: Cluster) -> list[MdsSession] | None:
    try:
        return list(read_sessions(inventory, (), cluster))
    except CephctlError:
        return None


def key_row(entity: Entity, sessions: Sequence[MdsSession] | None) -> KeyRow:
    mine = [each for each in sessions or () if each.entity == entity.name]
    hosts = Counter(each.node or each.hostname or each.address for each in mine)
    count = None if sessions is None else len(mine)
    return KeyRow(
        entity.name,
        entity.type,
        entity.fingerprint,
        moment(entity),
        entity.pending,
        count,
        tuple(sorted(hosts)),
    )


def moment(entity: Entity) -> datetime:
    return datetime.fromtimestamp(entity.created, UTC)


def show_key(
    name: str, inventory: Sequence[Node], now: float, cluster: Cluster
) -> Generator[KeyDetail]:
    """One entity, whole. `now` is the operator's clock, in seconds since the epoch."""
    entity = existing(name, cluster)
    sessions = [each for each in sessions_of(inventory, cluster) or () if each.entity == name]
    older = tuple(each.id for each in sessions if each.uptime_seconds > now - entity.created)
    caps = tuple(Cap(*each) for each in entity.caps.items())
    yield KeyDetail(
        name,
        entity.type,
        entity.fingerprint,
        moment(entity),
        entity.pending,
        older,
        caps,
        tuple(sessions),
    )


def existing(name: str, cluster: Cluster) -> Entity:
    found = find_entity(name, cluster)
    if found is None:
        raise unknown(name, cluster)
    return found


def unknown(name: str, cluster: Cluster) -> NotFound:
    """With the names like it, where they may be listed."""
    import difflib

    try:
        near = difflib.get_close_matches(name, [each.name for each in read_entities(cluster)], n=3)
    except CephctlError:
        near = []
    return NotFound(
        f"the cluster has no entity {name}",
        f"did you mean {', '.join(near)}?" if near else "see 'cephctl keys list'",
    )


def show_caps(name: str, cluster: Cluster) -> Generator[Cap]:
    """What an entity may do; no MDS is asked."""
    yield from (Cap(*each) for each in existing(name, cluster).caps.items())


def exported(name: str, form: str, cluster: Cluster) -> Generator[tuple[str, str]]:
    """One answer: the text of a keyring or a bare secret, and the key's fingerprint."""
    entity = existing(name, cluster)
    yield (
        keyring_text(name, entity.key) if form == "keyring" else f"{entity.key}\n",
        entity.fingerprint,
    )
