"""The whole cluster on one screen: health, monitors, OSDs, pools, file systems."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

from cephctl.ceph.commands import Cluster
from cephctl.cluster.health import findings, health_of
from cephctl.cluster.mds import all_daemons
from cephctl.parse import Json
from cephctl.results import Column, Finding, Kind, Record

ERASURE = 3
"""The type of an erasure-coded pool in `osd pool ls detail`."""


@dataclass(frozen=True)
class Pool(Record):
    """A pool. `replication` is "2/1" (size/min_size), or "erasure" with them; used and available
    are in stored bytes.
    """

    name: str
    id: int
    replication: str
    size: int
    min_size: int
    pg_num: int
    objects: int
    stored_bytes: int
    available_bytes: int

    columns = (
        Column("name", "POOL"),
        Column("replication", "SIZE/MIN"),
        Column("pg_num", "PGS", Kind.COUNT),
        Column("objects", "OBJECTS", Kind.COUNT),
        Column("stored_bytes", "STORED", Kind.SIZE),
        Column("available_bytes", "AVAILABLE", Kind.SIZE),
    )


@dataclass(frozen=True)
class CephFs(Record):
    """A file system: its pools, and how many of its ranks are active."""

    name: str
    metadata_pool: str
    data_pools: tuple[str, ...]
    ranks: int
    active: int
    standbys: int

    columns = (
        Column("name", "FILE SYSTEM"),
        Column("metadata_pool", "METADATA POOL"),
        Column("data_pools", "DATA POOLS"),
        Column("ranks", "RANKS", Kind.COUNT),
        Column("active", "ACTIVE", Kind.COUNT),
        Column("standbys", "STANDBYS", Kind.COUNT),
    )


@dataclass(frozen=True)
class ClusterStatus(Record):
    """The cluster as its monitors see it."""

    fsid: str
    health: str
    monitors: int
    quorum: tuple[str, ...]
    mgr_available: bool
    osds: int
    osds_up: int
    osds_in: int
    pgs: int
    pgs_active_clean: int
    total_bytes: int
    used_bytes: int
    pools: tuple[Pool, ...]
    file_systems: tuple[CephFs, ...]
    findings: tuple[Finding, ...]

    columns = (
        Column("fsid", "fsid"),
        Column("health", "health", Kind.STATE),
        Column("monitors", "monitors", Kind.COUNT),
        Column("quorum", "in quorum"),
        Column("mgr_available", "mgr available"),
        Column("osds", "OSDs", Kind.COUNT),
        Column("osds_up", "OSDs up", Kind.COUNT),
        Column("osds_in", "OSDs in", Kind.COUNT),
        Column("pgs", "PGs", Kind.COUNT),
        Column("pgs_active_clean", "PGs active+clean", Kind.COUNT),
        Column("total_bytes", "capacity", Kind.SIZE),
        Column("used_bytes", "used", Kind.SIZE),
    )
    sections = (("pools", Pool), ("file_systems", CephFs), ("findings", Finding))


def read_status(cluster: Cluster) -> Generator[ClusterStatus]:
    """One result, from five questions to the monitors; none of them needs a mgr. Usage figures
    stand still while no mgr is available.
    """
    status = cluster.command("status")
    health = cluster.command("health", detail="detail")
    dump = cluster.command("fs dump")
    pools = cluster.command("osd pool ls", detail="detail")
    usage = cluster.command("df")
    osdmap, pgmap = status["osdmap"], status["pgmap"]
    yield ClusterStatus(
        fsid=status["fsid"],
        health=health["status"],
        monitors=status["monmap"]["num_mons"],
        quorum=tuple(status["quorum_names"]),
        mgr_available=status["mgrmap"]["available"],
        osds=osdmap["num_osds"],
        osds_up=osdmap["num_up_osds"],
        osds_in=osdmap["num_in_osds"],
        pgs=pgmap["num_pgs"],
        pgs_active_clean=sum(
            state["count"]
            for state in pgmap["pgs_by_state"]
            if state["state_name"] == "active+clean"
        ),
        total_bytes=usage["stats"]["total_bytes"],
        used_bytes=usage["stats"]["total_used_raw_bytes"],
        pools=pools_of(pools, usage),
        file_systems=file_systems_of(dump, {pool["pool_id"]: pool["pool_name"] for pool in pools}),
        findings=tuple(findings(health_of(health))),
    )


def pools_of(pools: Json, usage: Json) -> tuple[Pool, ...]:
    stats = {pool["id"]: pool["stats"] for pool in usage["pools"]}
    return tuple(pool_of(pool, stats.get(pool["pool_id"], {})) for pool in pools)


def pool_of(pool: Json, stats: Json) -> Pool:
    shape = f"{pool['size']}/{pool['min_size']}"
    replication = f"erasure {shape}" if pool["type"] == ERASURE else shape
    return Pool(
        pool["pool_name"],
        pool["pool_id"],
        replication,
        pool["size"],
        pool["min_size"],
        pool["pg_num"],
        stats.get("objects", 0),
        stats.get("stored", 0),
        stats.get("max_avail", 0),
    )


def file_systems_of(dump: Json, pool_names: dict[int, str]) -> tuple[CephFs, ...]:
    daemons = tuple(all_daemons(dump))
    spare = sum(daemon.state == "up:standby" for daemon in daemons)
    found = []
    for system in dump["filesystems"]:
        mdsmap = system["mdsmap"]
        own = [daemon for daemon in daemons if daemon.file_system == mdsmap["fs_name"]]
        followers = sum(daemon.state == "up:standby-replay" for daemon in own)
        names = [
            pool_names.get(pool, str(pool))
            for pool in (mdsmap["metadata_pool"], *mdsmap["data_pools"])
        ]
        active = sum(daemon.is_active for daemon in own)
        found.append(
            CephFs(
                mdsmap["fs_name"],
                names[0],
                tuple(names[1:]),
                len(mdsmap["in"]),
                active,
                spare + followers,
            )
        )
    return tuple(found)
