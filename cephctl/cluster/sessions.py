"""Every client's session with every active MDS, and which node of the inventory it belongs to."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from cephctl.ceph.commands import Cluster
from cephctl.cluster.mds import all_daemons
from cephctl.config import Node
from cephctl.errors import Unreachable
from cephctl.results import Column, Kind, Record


@dataclass(frozen=True)
class MdsSession(Record):
    """One session. `address` is `ip:port/nonce`, the name that debugfs on the node and the blocklist know it by.

    `node` is None for a client that is not in the inventory. `version` is the kernel's, or Ceph's for a libcephfs client.
    """

    mds: str
    id: int
    node: str | None
    entity: str
    address: str
    hostname: str | None
    client: str
    version: str | None
    root: str | None
    caps: int
    state: str
    requests: int
    uptime_seconds: float

    columns = (
        Column("mds", "MDS"),
        Column("id", "ID", Kind.COUNT),
        Column("node", "NODE"),
        Column("entity", "ENTITY"),
        Column("address", "ADDRESS"),
        Column("client", "CLIENT"),
        Column("version", "VERSION"),
        Column("root", "ROOT"),
        Column("caps", "CAPS", Kind.COUNT),
        Column("requests", "REQUESTS", Kind.COUNT),
        Column("state", "STATE", Kind.STATE),
        Column("uptime_seconds", "UPTIME", Kind.DURATION),
    )


def read_sessions(
    inventory: Sequence[Node], names: Sequence[str], cluster: Cluster
) -> Generator[MdsSession]:
    """The sessions of every active rank, as its MDS has them; with names, only those of these nodes."""
    by_address = {node.address: node.name for node in inventory}
    mgr_clients = {address: mgr for mgr, address in clients_of_mgr(cluster.command("mgr dump"))}
    active = [daemon for daemon in all_daemons(cluster.command("fs dump")) if daemon.is_active]
    if not active:
        raise Unreachable(
            "no MDS is active, so nobody knows the sessions", "see 'cephctl mds status'"
        )
    if laggy := [f"mds.{daemon.name}" for daemon in active if daemon.laggy]:
        raise Unreachable(
            f"{' and '.join(laggy)} does not answer the monitors (laggy)",
            "see 'cephctl mds status'",
        )
    for daemon in active:
        for session in cluster.mds_command(daemon.name or "", "session ls"):
            found = session_of(daemon.name or "", session, by_address)
            found = replace(found, entity=mgr_clients.get(found.address, found.entity))
            if not names or found.node in names:
                yield found


def session_of(mds: str, session: Any, nodes: Mapping[str, str]) -> MdsSession:
    """One entry of `session ls`. Its metadata is what the client says of itself, and any of it may be missing."""
    metadata = session["client_metadata"]
    address = session["inst"].split()[1].rpartition("v1:")[2]
    host = address.rpartition(":")[0].strip("[]")
    kernel = metadata.get("kernel_version")
    return MdsSession(
        mds=mds,
        id=session["id"],
        node=nodes.get(host) or known_hostname(nodes, metadata.get("hostname")),
        entity=f"client.{metadata.get('entity_id', '?')}",
        address=address,
        hostname=metadata.get("hostname"),
        client="kernel" if kernel else "fuse" if "mount_point" in metadata else "libcephfs",
        version=kernel or short_version(metadata.get("ceph_version")),
        root=metadata.get("root"),
        caps=session["num_caps"],
        state=session["state"],
        requests=session["requests_in_flight"],
        uptime_seconds=round(session["uptime"], 1),
    )


def clients_of_mgr(dump: Any) -> Iterator[tuple[str, str]]:
    """The mgr's own mounts, which call themselves client.NAME: pairs of mgr and client address."""
    for client in dump.get("active_clients", ()):
        for each in client.get("addrvec", ()):
            yield f"mgr.{dump['active_name']}", f"{each['addr']}/{each['nonce']}"


def known_hostname(nodes: Mapping[str, str], hostname: str | None) -> str | None:
    """A node that talks to Ceph from another address than the inventory's is still known by its name."""
    return hostname if hostname in nodes.values() else None


def short_version(text: str | None) -> str | None:
    """The number in what `ceph version` says.

    >>> short_version("ceph version 16.2.15 (618f44) pacific (stable)")
    '16.2.15'
    """
    words = (text or "").split()
    return words[2] if words[:2] == ["ceph", "version"] and len(words) > 2 else text
