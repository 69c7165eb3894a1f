"""The files of a mount, as the configuration and the cluster want them on every node, and how they get there."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from cephctl.ceph.commands import Cluster
from cephctl.cephx import parse_key
from cephctl.config import Node
from cephctl.doctor.cluster_facts import monmap
from cephctl.errors import CephctlError
from cephctl.node.systemd import unit_name
from cephctl.results import Column, Record
from cephctl.site import Site
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Question, ask_all

PUSH_SECONDS = 60
UNIT = """\
[Unit]
Description=CephFS at {where}
After=network-online.target
Wants=network-online.target

[Mount]
What={what}
Where={where}
Type=ceph
Options={options}
# The kernel's own verdict on a mount takes 60 s: less than that would kill mount.ceph before it.
TimeoutSec=90

[Install]
WantedBy=multi-user.target
"""
CONF = """\
[global]
fsid = {fsid}
mon host = {mon_host}
"""


@dataclass(frozen=True)
class Credentials:
    """What the cluster has to say: where it is, and the key, which no repr shows."""

    fsid: str
    monitors: tuple[tuple[str, str, int], ...]
    fingerprint: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class FileChange(Record):
    """One difference on one node; keys are told by fingerprint."""

    node: str
    path: str
    what: str
    before: str | None
    after: str | None

    columns = (
        Column("node", "NODE"),
        Column("path", "FILE"),
        Column("what", "WHAT"),
        Column("before", "NOW"),
        Column("after", "THEN"),
    )


def read_credentials(entity: str, cluster: Cluster) -> Generator[Credentials]:
    """One answer. The key comes over the worker's pipe and goes on to the nodes' stdin."""
    found = monmap(cluster.command("mon dump"))
    [answer] = cluster.command("auth get", entity=entity)
    key = parse_key(answer["key"])
    monitors = tuple(
        (kind, host, port) for mon in found["monitors"] for kind, host, port in mon["addresses"]
    )
    yield Credentials(found["fsid"], monitors, key.fingerprint, answer["key"])


def wanted(site: Site, credentials: Credentials) -> list[dict[str, Any]]:
    """The four files, as the node program takes them."""
    values = {"fsid": credentials.fsid, "mon host": mon_host(credentials.monitors)}
    unit = {
        "What": what(site, credentials.monitors),
        "Where": site.path,
        "Type": "ceph",
        "Options": options(site),
        "TimeoutSec": "90",
    }
    names = {"what": unit["What"], "where": unit["Where"], "options": unit["Options"]}
    secret = {"mode": 0o600, "fingerprint": credentials.fingerprint}
    return [
        {
            "kind": "settings",
            "path": site.conf,
            "mode": 0o644,
            "section": "global",
            "values": values,
        }
        | {"content": CONF.format(fsid=values["fsid"], mon_host=values["mon host"])},
        {"kind": "secret", "path": site.secret, "content": credentials.key + "\n", **secret},
        {"kind": "keyring", "path": site.keyring, "entity": site.entity, **secret}
        | {"content": f"[{site.entity}]\n\tkey = {credentials.key}\n"},
        {
            "kind": "settings",
            "path": f"/etc/systemd/system/{unit_name(site.path)}",
            "mode": 0o644,
            "section": "Mount",
            "values": unit,
        }
        | {"content": UNIT.format(**names)},
    ]


def mon_host(monitors: Sequence[tuple[str, str, int]]) -> str:
    return (
        "[" + ",".join(f"{kind}:{bracketed(host)}:{port}" for kind, host, port in monitors) + "]"
        if monitors
        else ""
    )


def what(site: Site, monitors: Sequence[tuple[str, str, int]]) -> str:
    """The source of the mount: the monitors' hosts, and a port only where it is not the usual one."""
    kind, usual = (
        ("v2", 3300)
        if "ms_mode=" in site.options and "ms_mode=legacy" not in site.options
        else ("v1", 6789)
    )
    places = [
        bracketed(host) + (f":{port}" if port != usual or kind == "v2" else "")
        for each, host, port in monitors
        if each == kind
    ]
    return f"{','.join(places)}:{site.root}"


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def options(site: Site) -> str:
    words = [
        f"name={site.user}",
        f"secretfile={site.secret}",
        *(word for word in site.options.split(",") if word),
    ]
    if site.filesystem:
        words.append(f"fs={site.filesystem}")
    return ",".join([*words, *(() if "_netdev" in words else ("_netdev",))])


def push(
    nodes: Sequence[Node],
    site: Site,
    files: Sequence[dict[str, Any]],
    write: bool,
    unit: bool = True,
) -> Iterator[FileChange | CephctlError]:
    """What differs on each node from these files; with `write`, it no longer does. With `unit` the unit is enabled, too."""
    arguments = {"files": files, "write": write, "enable": unit_name(site.path) if unit else None}
    question = Question("push.push", lambda _: arguments, PUSH_SECONDS)
    for node, answer in ask_all(nodes, question, site.ssh_config):
        if isinstance(answer, NodeFailed):
            yield answer
        else:
            if problem := answer.value["problem"]:
                yield CephctlError(
                    f"{node.name}: {problem}",
                    "run 'systemctl daemon-reload' there when it answers again",
                )
            yield from (
                FileChange(node.name, each["path"], each["what"], each["before"], each["after"])
                for each in answer.value["changes"]
            )
