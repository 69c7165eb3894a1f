"""The files of a mount: what the configuration and the cluster want on every node, and how they are
written there.
"""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

from cephctl.ceph.commands import Cluster
from cephctl.cephx import parse_key
from cephctl.cluster.monitors import MonAddress, Monmap, monmap_of
from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.errors import CephctlError, Refused
from cephctl.node.systemd import unit_name
from cephctl.parse import Json, Malformed, parse
from cephctl.results import Column, Outcome, Proposal, Record, Table, status_of_errors
from cephctl.site import Site
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Question

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
    """The cluster's monitors and the key, which no repr shows."""

    monmap: Monmap
    fingerprint: str
    key: str = field(repr=False)


@dataclass(frozen=True)
class FileChange(Record):
    """One difference on one node; keys are shown by fingerprint."""

    node: str
    path: str
    what: str
    before: str | None
    after: str | None

    columns = (
        Column("node", "NODE"),
        Column("path", "FILE"),
        Column("what", "WHAT"),
        Column("before", "BEFORE"),
        Column("after", "AFTER"),
    )


def read_credentials(entity: str, cluster: Cluster) -> Generator[Credentials]:
    """One answer. The key comes over the worker's pipe and goes on to the nodes' stdin."""
    monmap = monmap_of(cluster.command("mon dump"))
    [answer] = cluster.command("auth get", entity=entity)
    yield Credentials(monmap, parse_key(answer["key"]).fingerprint, answer["key"])


def wanted(site: Site, credentials: Credentials) -> list[dict[str, Json]]:
    """The four files, as the node program takes them."""
    monitors = tuple(credentials.monmap.addresses)
    values = {"fsid": credentials.monmap.fsid, "mon host": mon_host(monitors)}
    unit = {
        "What": mount_source(site, monitors),
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


def mon_host(monitors: Sequence[MonAddress]) -> str:
    words = [f"{each.kind}:{bracketed(each.host)}:{each.port}" for each in monitors]
    return f"[{','.join(words)}]" if words else ""


def mount_source(site: Site, monitors: Sequence[MonAddress]) -> str:
    """What= of the unit: the monitors' hosts, and a port only where it is not the usual one."""
    msgr2 = "ms_mode=" in site.options and "ms_mode=legacy" not in site.options
    kind, usual = ("v2", 3300) if msgr2 else ("v1", 6789)
    places = [
        bracketed(each.host) + (f":{each.port}" if each.port != usual or msgr2 else "")
        for each in monitors
        if each.kind == kind
    ]
    if not places:
        raise Refused(
            f"no monitor has a {kind} address, which the mount needs",
            "see 'options' of [mount] (ms_mode), and 'ceph mon dump'",
        )
    return f"{','.join(places)}:{site.root}"


def bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def options(site: Site) -> str:
    words = [
        f"name={site.user}",
        f"secretfile={site.secret}",
        *(word for word in site.options.split(",") if word),
    ]
    if site.file_system:
        words.append(f"fs={site.file_system}")
    return ",".join([*words, *(() if "_netdev" in words else ("_netdev",))])


@dataclass(frozen=True)
class Change:
    """One difference, as the node program reports it."""

    path: str
    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class PushReport:
    """What the node program answers."""

    changes: tuple[Change, ...]
    problem: str | None


def propose(deps: Deps, nodes: Sequence[Node]) -> Proposal:
    """Compare the files of each node with what the cluster and the configuration want."""
    [credentials] = deps.ask(partial(read_credentials, deps.site.entity))
    files = wanted(deps.site, credentials)
    changes, errors = parted(push(deps, nodes, files, write=False))
    table = Table(FileChange, changes)
    status = status_of_errors(errors, len(nodes))
    notes = () if changes or errors else ("nothing differs",)
    return Proposal(
        shown=table if changes else None,
        question="Write these files?",
        execute=partial(execute, deps, nodes, files, changes, errors),
        otherwise=Outcome(table if changes or not errors else None, status, errors, notes),
    )


def execute(
    deps: Deps,
    nodes: Sequence[Node],
    files: Sequence[dict[str, Json]],
    changes: Sequence[FileChange],
    errors: tuple[CephctlError, ...],
) -> Outcome:
    """Write the files on the nodes where they differ."""
    names = {change.node for change in changes}
    chosen = [node for node in nodes if node.name in names]
    written, failed = parted(push(deps, chosen, files, write=True))
    errors = (*errors, *failed)
    return Outcome(Table(FileChange, written), status_of_errors(errors, len(nodes)), errors)


def parted(
    answers: Iterable[FileChange | CephctlError],
) -> tuple[tuple[FileChange, ...], tuple[CephctlError, ...]]:
    found = list(answers)
    return (
        tuple(each for each in found if isinstance(each, FileChange)),
        tuple(each for each in found if isinstance(each, CephctlError)),
    )


def push(
    deps: Deps,
    nodes: Sequence[Node],
    files: Sequence[dict[str, Json]],
    write: bool,
    unit: bool = True,
) -> Iterator[FileChange | CephctlError]:
    """How each node differs from these files; with `write` they are written. With `unit` the unit
    is enabled, too.
    """
    deps.tell(f"{'writing' if write else 'comparing'} files on {len(nodes)} nodes")
    enable = unit_name(deps.site.path) if unit else None
    arguments = {"files": files, "write": write, "enable": enable}
    for node, answer in deps.ask_nodes(
        nodes, Question("push.push", lambda _: arguments, PUSH_SECONDS)
    ):
        if isinstance(answer, NodeFailed):
            yield answer
            continue
        try:
            report = parse(PushReport, answer.value)
        except Malformed as error:
            yield CephctlError(f"{node.name}: its answer is invalid: {error}")
            continue
        if report.problem:
            hint = "run 'systemctl daemon-reload' there when it answers again"
            yield CephctlError(f"{node.name}: {report.problem}", hint)
        for each in report.changes:
            yield FileChange(node.name, each.path, each.what, each.before, each.after)
