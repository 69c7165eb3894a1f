"""What the cluster knows of the web nodes' mounts, typed; never a key, only its fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeVar

from cephctl.address import Address, addrvec
from cephctl.ceph.commands import Cluster
from cephctl.cephx import MalformedKey, parse_key
from cephctl.cluster.health import Health, health_of
from cephctl.cluster.mds import MdsDaemon, all_daemons
from cephctl.cluster.monitors import Monmap, monmap_of
from cephctl.cluster.sessions import MdsSession, clients_of_mgr, sessions_at
from cephctl.config import Node
from cephctl.errors import CephctlError, NotFound, SilentDaemon, Unanswered
from cephctl.parse import Json, Unreadable

T = TypeVar("T")

MAX_OSDS = 64
NOT_ASKED = Unreadable("the cluster was not asked")
# CEPH_MDSMAP_* of Ceph's mdsmap; 16.2 does not spell them out.
NOT_JOINABLE = 1 << 0
REFUSE_CLIENT_SESSION = 1 << 6


@dataclass(frozen=True)
class FileSystem:
    """A file system and its ranks; pools by id."""

    name: str
    joinable: bool
    refuse_sessions: bool
    data_pools: tuple[int, ...]
    metadata_pool: int


@dataclass(frozen=True)
class Osd:
    """An OSD; it has an address while it is up."""

    id: int
    up: bool
    address: Address | None


@dataclass(frozen=True)
class Pool:
    """A pool; `full` also when it reached its quota."""

    id: int
    name: str
    full: bool


@dataclass(frozen=True)
class Osdmap:
    """The OSD map's flags, OSDs and pools. The blocklists map an entry to when it ends."""

    flags: tuple[str, ...]
    osds: tuple[Osd, ...]
    pools: tuple[Pool, ...]
    blocklist: Mapping[str, str] = field(default_factory=dict)
    range_blocklist: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class KeyFacts:
    """A key's header (`created`: seconds since the epoch) and fingerprint."""

    type: str
    created: float
    fingerprint: str


@dataclass(frozen=True)
class EntityFacts:
    """The entity that the web nodes mount as."""

    name: str
    exists: bool
    caps: Mapping[str, str] = field(default_factory=dict)
    pending: bool = False
    key: KeyFacts | Unreadable | None = None


@dataclass(frozen=True)
class ClusterFailure:
    """Why the cluster did not answer, or not to the end. `unanswered`: it was silent, and did not
    refuse.
    """

    message: str
    hint: str | None = None
    unanswered: bool = False
    silent: tuple[SilentDaemon, ...] = ()


@dataclass(frozen=True)
class ClusterFacts:
    """All that the cluster said, section by section."""

    monmap: Monmap | Unreadable = NOT_ASKED
    file_systems: tuple[FileSystem, ...] | Unreadable = NOT_ASKED
    daemons: tuple[MdsDaemon, ...] | Unreadable = NOT_ASKED
    osdmap: Osdmap | Unreadable = NOT_ASKED
    entity: EntityFacts | Unreadable = NOT_ASKED
    health: Health | Unreadable = NOT_ASKED
    sessions: tuple[MdsSession, ...] | Unreadable = NOT_ASKED
    failure: ClusterFailure | None = None


def read_facts(
    entity: str, inventory: Sequence[Node], sessions: bool, cluster: Cluster
) -> Generator[tuple[str, Json]]:
    """Pairs of a field of ClusterFacts and its value, as they come; the maps first: they say which
    daemons nodes must reach.
    """
    yield "monmap", monmap_of(cluster.command("mon dump"))
    dump = cluster.command("fs dump")
    osds = cluster.command("osd dump")
    daemons = tuple(all_daemons(dump))
    yield "file_systems", tuple(file_system(each) for each in dump["filesystems"])
    yield "daemons", daemons
    yield "osdmap", osdmap(osds)
    yield "entity", readable(lambda: entity_facts(cluster, entity))
    yield "health", health_of(cluster.command("health", detail="detail"))
    yield (
        "sessions",
        readable(lambda: all_sessions(cluster, daemons, inventory)) if sessions else (),
    )


def readable(source: Callable[[], T]) -> T | Unreadable:
    """What cannot be read says why; silence is the whole question's error."""
    try:
        return source()
    except Unanswered:
        raise
    except CephctlError as error:
        return Unreadable(error.message)


def all_sessions(
    cluster: Cluster, daemons: Sequence[MdsDaemon], inventory: Sequence[Node]
) -> tuple[MdsSession, ...] | Unreadable:
    """The sessions at every active MDS that the monitors hear."""
    active = [each for each in daemons if each.is_active and not each.laggy]
    if not active:
        return Unreadable("no MDS is active")
    mgr_clients = clients_of_mgr(cluster)
    return tuple(
        session
        for daemon in active
        for session in sessions_at(cluster, daemon, inventory, mgr_clients)
    )


def file_system(system: Json) -> FileSystem:
    mdsmap = system["mdsmap"]
    return FileSystem(
        name=mdsmap["fs_name"],
        joinable=not mdsmap["flags"] & NOT_JOINABLE,
        refuse_sessions=bool(mdsmap["flags"] & REFUSE_CLIENT_SESSION),
        data_pools=tuple(mdsmap["data_pools"]),
        metadata_pool=mdsmap["metadata_pool"],
    )


def osdmap(dump: Json) -> Osdmap:
    return Osdmap(
        flags=tuple(dump["flags"].split(",")),
        osds=tuple(osd_of(each) for each in dump["osds"]),
        pools=tuple(
            Pool(pool["pool"], pool["pool_name"], "full" in pool["flags_names"].split(","))
            for pool in dump["pools"]
        ),
        blocklist=dict(dump.get("blocklist") or {}),
        range_blocklist=dict(dump.get("range_blocklist") or {}),
    )


def osd_of(osd: Json) -> Osd:
    up = bool(osd["up"])
    return Osd(osd["osd"], up, addrvec(osd["public_addrs"])[0][1] if up else None)


def entity_facts(cluster: Cluster, entity: str) -> EntityFacts:
    try:
        [found] = cluster.command("auth get", entity=entity)
    except NotFound:
        return EntityFacts(entity, exists=False)
    key: KeyFacts | Unreadable
    try:
        parsed = parse_key(found["key"])
        key = KeyFacts(parsed.type, parsed.created.timestamp(), parsed.fingerprint)
    except MalformedKey as error:
        key = Unreadable(str(error))
    return EntityFacts(entity, True, dict(found["caps"]), bool(found.get("pending_key")), key)


def addresses(
    monmap: Monmap | None, daemons: Sequence[MdsDaemon], osds: Osdmap | None
) -> list[tuple[str, int]]:
    """Host and port of every daemon that a node must reach: all monitors, the active MDS, the OSDs
    (a sample of many).
    """
    monitors = [(each.host, each.port) for each in monmap.addresses] if monmap else []
    active = [Address.parse(each.address) for each in daemons if each.is_active and each.address]
    up = [each.address for each in osds.osds if each.address][:MAX_OSDS] if osds else []
    return [*monitors, *((each.host, each.port) for each in (*active, *up))]
