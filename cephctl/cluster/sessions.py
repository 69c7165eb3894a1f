"""Every client's session with every active MDS, and which node of the inventory it belongs to."""

from __future__ import annotations

from collections.abc import Generator, Mapping, Sequence
from dataclasses import dataclass, replace

from cephctl.address import host_of, instance_of
from cephctl.ceph.commands import Cluster
from cephctl.cluster.mds import MdsDaemon, all_daemons
from cephctl.config import Node
from cephctl.errors import Unreachable
from cephctl.parse import Json
from cephctl.results import Column, Kind, Record


@dataclass(frozen=True)
class MdsSession(Record):
    """One session. `address` is `ip:port/nonce`, the name that debugfs on the node and the
    blocklist know it by.

    `node` is None for a client that is not in the inventory. `version` is the kernel's, or Ceph's
    for a libcephfs client.
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

    def __str__(self) -> str:
        """Who it is, and how to find it."""
        whom = self.node or f"unknown host {self.hostname or '?'}"
        return f"{whom} ({self.address}, id {self.id} at mds.{self.mds})"


def read_sessions(
    inventory: Sequence[Node], names: Sequence[str], cluster: Cluster
) -> Generator[MdsSession]:
    """The sessions of every active rank, as its MDS has them; with names, only those of these
    nodes.
    """
    mgr_clients = clients_of_mgr(cluster)
    active = [daemon for daemon in all_daemons(cluster.command("fs dump")) if daemon.is_active]
    if not active:
        raise Unreachable(
            "no MDS is active, so the sessions are unknown", "see 'cephctl mds status'"
        )
    if laggy := [f"mds.{daemon.name}" for daemon in active if daemon.laggy]:
        raise Unreachable(
            f"{' and '.join(laggy)} does not answer the monitors (laggy)",
            "see 'cephctl mds status'",
        )
    for daemon in active:
        for found in sessions_at(cluster, daemon, inventory, mgr_clients):
            if not names or found.node in names:
                yield found


def sessions_at(
    cluster: Cluster,
    daemon: MdsDaemon,
    inventory: Sequence[Node],
    mgr_clients: Mapping[str, str],
) -> list[MdsSession]:
    """The sessions at one MDS. Those of the mgr's own mounts, which call themselves client.NAME,
    are the mgr's.
    """
    nodes = {node.address: node.name for node in inventory}
    name = daemon.name or ""
    sessions = [session_of(name, each, nodes) for each in cluster.mds_command(name, "session ls")]
    return [replace(each, entity=mgr_clients.get(each.address, each.entity)) for each in sessions]


def session_of(mds: str, session: Json, nodes: Mapping[str, str]) -> MdsSession:
    """One entry of `session ls`. Its metadata is what the client says of itself, and any of it may
    be missing.
    """
    metadata = session["client_metadata"]
    address = instance_of(session["inst"])
    kernel = metadata.get("kernel_version")
    return MdsSession(
        mds=mds,
        id=session["id"],
        node=nodes.get(host_of(address)) or known_hostname(nodes, metadata.get("hostname")),
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


def clients_of_mgr(cluster: Cluster) -> dict[str, str]:
    """Of the mgr's own mounts: client address → mgr."""
    dump = cluster.command("mgr dump")
    return {
        f"{each['addr']}/{each['nonce']}": f"mgr.{dump['active_name']}"
        for client in dump.get("active_clients", ())
        for each in client.get("addrvec", ())
    }


def known_hostname(nodes: Mapping[str, str], hostname: str | None) -> str | None:
    """A node that talks to Ceph from another address than the inventory's is still known by its
    name.
    """
    return hostname if hostname in nodes.values() else None


def short_version(text: str | None) -> str | None:
    """The number in what `ceph version` says.

    >>> short_version("ceph version 16.2.15 (618f44) pacific (stable)")
    '16.2.15'
    """
    words = (text or "").split()
    return words[2] if words[:2] == ["ceph", "version"] and len(words) > 2 else text
