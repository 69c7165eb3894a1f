"""What the cluster knows of the web nodes' mounts, as plain JSON; never a key, only its fingerprint."""

from __future__ import annotations

from collections.abc import Callable, Generator
from typing import Any

from cephctl.ceph.ask import first_address
from cephctl.ceph.commands import Cluster
from cephctl.cephx import MalformedKey, parse_key
from cephctl.cluster.mds import all_daemons
from cephctl.errors import CephctlError, NotFound, Unanswered

MOST_OSDS = 64
# CEPH_MDSMAP_* of Ceph's mdsmap; 16.2 does not spell them out.
NOT_JOINABLE = 1 << 0
REFUSE_CLIENT_SESSION = 1 << 6


def read_facts(entity: str, sessions: bool, cluster: Cluster) -> Generator[tuple[str, Any]]:
    """Pairs of name and facts, as they come: the maps first, for the nodes must know which daemons to reach.

    What could not be read is {"error": why}.
    """
    yield "monmap", monmap(cluster.command("mon dump"))
    dump = cluster.command("fs dump")
    osds = cluster.command("osd dump")
    yield "file_systems", [file_system(each) for each in dump["filesystems"]]
    yield "daemons", [daemon_of(each) for each in all_daemons(dump)]
    yield "osdmap", osdmap(osds)
    yield "entity", readable(lambda: entity_facts(cluster, entity))
    yield "health", health(cluster.command("health", detail="detail"))
    yield "versions", cluster.command("versions")
    active = (
        [each for each in all_daemons(dump) if each.is_active and not each.laggy]
        if sessions
        else []
    )
    for daemon in active:
        try:
            found = cluster.mds_command(daemon.name or "", "session ls")
        except Unanswered:
            raise
        except CephctlError as error:
            yield "sessions", {"error": error.message}
            return
        yield "sessions", [session(daemon.name or "", daemon.rank or 0, each) for each in found]
    yield "sessions", [] if active or not sessions else {"error": "no MDS is active"}


def readable(source: Callable[[], Any]) -> Any:
    """What cannot be read says why; silence is the whole question's error."""
    try:
        return source()
    except Unanswered:
        raise
    except CephctlError as error:
        return {"error": error.message, "hint": error.hint}


def monmap(dump: Any) -> dict[str, Any]:
    monitors = [
        {
            "name": mon["name"],
            "addresses": [plain(each) for each in mon["public_addrs"]["addrvec"]],
            "in_quorum": mon["rank"] in dump["quorum"],
        }
        for mon in dump["mons"]
    ]
    return {
        "fsid": dump["fsid"],
        "epoch": dump["epoch"],
        "monitors": monitors,
        "allowed_ciphers": dump.get("auth_allowed_ciphers"),
    }


def plain(address: Any) -> list[Any]:
    """[kind, host, port] of one entry of an addrvec: ["v1", "10.0.0.1", 6789]."""
    host, _, port = address["addr"].rpartition(":")
    return [address["type"], host.strip("[]"), int(port)]


def file_system(system: Any) -> dict[str, Any]:
    mdsmap = system["mdsmap"]
    return {
        "name": mdsmap["fs_name"],
        "id": system["id"],
        "joinable": not mdsmap["flags"] & NOT_JOINABLE,
        "refuse_sessions": bool(mdsmap["flags"] & REFUSE_CLIENT_SESSION),
        "ranks": mdsmap["in"],
        "failed": mdsmap["failed"],
        "damaged": mdsmap["damaged"],
        "data_pools": mdsmap["data_pools"],
        "metadata_pool": mdsmap["metadata_pool"],
        "required_features": sorted((mdsmap.get("required_client_features") or {}).values()),
        "session_timeout": mdsmap["session_timeout"],
        "session_autoclose": mdsmap["session_autoclose"],
    }


def daemon_of(daemon: Any) -> dict[str, Any]:
    host, _, port = (daemon.address or "").rpartition(":")
    return {
        "file_system": daemon.file_system,
        "rank": daemon.rank,
        "name": daemon.name,
        "state": daemon.state,
        "laggy": daemon.laggy,
        "address": [host.strip("[]"), int(port)] if host else None,
    }


def osdmap(dump: Any) -> dict[str, Any]:
    osds = [
        {
            "id": osd["osd"],
            "up": bool(osd["up"]),
            "in": bool(osd["in"]),
            "address": list(first_address(osd["public_addrs"])) if osd["up"] else None,
        }
        for osd in dump["osds"]
    ]
    pools = [
        {
            "id": pool["pool"],
            "name": pool["pool_name"],
            "full": "full" in pool["flags_names"].split(","),
            "fs": "cephfs" in pool["application_metadata"],
        }
        for pool in dump["pools"]
    ]
    return {
        "epoch": dump["epoch"],
        "flags": dump["flags"].split(","),
        "osds": osds,
        "pools": pools,
        "blocklist": dict(dump.get("blocklist") or {}),
        "range_blocklist": dict(dump.get("range_blocklist") or {}),
    }


def health(answer: Any) -> dict[str, Any]:
    return {"status": answer["status"], "checks": answer["checks"]}


def entity_facts(cluster: Cluster, entity: str) -> dict[str, Any]:
    """The entity's caps and the header and fingerprint of its key."""
    try:
        [found] = cluster.command("auth get", entity=entity)
    except NotFound:
        return {"name": entity, "exists": False}
    facts: dict[str, Any] = {
        "name": entity,
        "exists": True,
        "caps": dict(found["caps"]),
        "pending": bool(found.get("pending_key")),
    }
    try:
        key = parse_key(found["key"])
    except MalformedKey as error:
        return facts | {"key": {"error": str(error)}}
    return facts | {
        "key": {
            "type": key.type,
            "created": key.created.timestamp(),
            "fingerprint": key.fingerprint,
        }
    }


def session(mds: str, rank: int, found: Any) -> dict[str, Any]:
    """One session with what joins it to a node: its address is the client's instance."""
    metadata = found["client_metadata"]
    return {
        "mds": mds,
        "rank": rank,
        "id": found["id"],
        "state": found["state"],
        "instance": found["inst"].split()[1].rpartition("v1:")[2],
        "hostname": metadata.get("hostname"),
        "entity": f"client.{metadata.get('entity_id', '?')}",
        "root": metadata.get("root"),
        "kernel": metadata.get("kernel_version"),
        "caps": found["num_caps"],
        "requests": found["requests_in_flight"],
        "uptime": found["uptime"],
    }


def addresses(facts: dict[str, Any]) -> list[list[Any]]:
    """Host and port of every daemon that a node must reach: all monitors, the active MDS, the OSDs (a sample of many)."""
    monitors = [
        [host, port]
        for mon in facts.get("monmap", {}).get("monitors", ())
        for _, host, port in mon["addresses"]
    ]
    mds = [
        each["address"]
        for each in facts.get("daemons", ())
        if each["state"] == "up:active" and each["address"]
    ]
    osds = [each["address"] for each in facts.get("osdmap", {}).get("osds", ()) if each["address"]][
        :MOST_OSDS
    ]
    return [*monitors, *mds, *osds]
