"""cephctl node health and node probe"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cephctl.cli.app import App
from cephctl.config import Node
from cephctl.errors import ExitStatus
from cephctl.results import Column, Kind, Outcome, Record, Table
from cephctl.site import request, site_of
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Answer, Question, ask_all

HEALTH_SECONDS = 3.0
PROBES = ("mon", "mds", "osd")


@dataclass(frozen=True)
class NodeHealth(Record):
    """The mount of one node in one line. The last four fields are what the platform's heartbeat carries."""

    node: str
    shard: str
    cephfs_mounted: bool | None
    cephfs_writable: bool | None
    last_probe_at: datetime | None
    last_error: str | None

    columns = (
        Column("node", "NODE"),
        Column("shard", "SHARD"),
        Column("cephfs_mounted", "MOUNTED", Kind.STATE),
        Column("cephfs_writable", "WRITABLE", Kind.STATE),
        Column("last_probe_at", "PROBED", Kind.AGO),
        Column("last_error", "ERROR"),
    )


@dataclass(frozen=True)
class NodeProbe(Record):
    """One of the three questions to one node's mount. `status` is ok, hung, busy, error or not mounted."""

    node: str
    daemon: str
    status: str
    seconds: float | None
    error: str | None

    columns = (
        Column("node", "NODE"),
        Column("daemon", "ASKED"),
        Column("status", "STATUS", Kind.STATE),
        Column("seconds", "SECONDS"),
        Column("error", "ERROR"),
    )


def answers(app: App, nodes: Sequence[Node], write: bool) -> list[tuple[Node, Answer | NodeFailed]]:
    site = site_of(app.config)
    arguments = request(site, HEALTH_SECONDS) | {"write": write}
    question = Question("health.health", lambda _: arguments, app.config["ssh.timeout"])
    found = {node.name: answer for node, answer in ask_all(nodes, question, site.ssh_config)}
    return [(node, found[node.name]) for node in nodes]


def look(app: App, nodes: Sequence[Node]) -> Outcome:
    rows = [health_of(node, answer) for node, answer in answers(app, nodes, write=True)]
    return Outcome(Table(NodeHealth, tuple(rows)), status(rows))


def health_of(node: Node, answer: Answer | NodeFailed) -> NodeHealth:
    if isinstance(answer, NodeFailed):
        return NodeHealth(node.name, node.shard, None, None, None, answer.problem)
    probes, at = answer.value["probes"], datetime.fromtimestamp(answer.answered, UTC)
    bad = [
        f"{name}: {trouble(probes[name])}"
        for name in PROBES
        if name in probes and probes[name]["status"] != "ok"
    ]
    mounted = answer.value["mounted"] and all(
        probes.get(name, {}).get("status") == "ok" for name in ("mon", "mds")
    )
    writable = mounted and probes.get("osd", {}).get("status") == "ok"
    return NodeHealth(
        node.name,
        node.shard,
        mounted,
        writable,
        at,
        "; ".join(bad) or (None if mounted else "not mounted"),
    )


def trouble(probe: Any) -> str:
    if probe["status"] == "hung":
        return f"no answer in {probe['seconds']:.0f} s"
    if probe["status"] == "busy":
        return f"an earlier probe still hangs (pid {probe['pid']})"
    return str(probe.get("error"))


def status(rows: Sequence[NodeHealth]) -> ExitStatus:
    """Unreachable nodes first, then mounts that do not work."""
    lost = [row for row in rows if row.cephfs_mounted is None]
    if lost:
        return ExitStatus.UNREACHABLE if len(lost) == len(rows) else ExitStatus.PARTIAL
    return ExitStatus.OK if all(row.cephfs_writable for row in rows) else ExitStatus.FINDINGS


def probe_nodes(app: App, nodes: Sequence[Node]) -> Outcome:
    rows: list[NodeProbe] = []
    errors: list[NodeFailed] = []
    for node, answer in answers(app, nodes, write=False):
        if isinstance(answer, NodeFailed):
            errors.append(answer)
        elif not answer.value["mounted"]:
            rows.append(NodeProbe(node.name, "-", "not mounted", None, None))
        else:
            found = answer.value["probes"]
            rows += [
                NodeProbe(node.name, name, p["status"], p.get("seconds"), p.get("error"))
                for name, p in found.items()
            ]
    code = ExitStatus.OK if all(row.status == "ok" for row in rows) else ExitStatus.FINDINGS
    if errors:
        code = ExitStatus.PARTIAL if rows else ExitStatus.UNREACHABLE
    return Outcome(Table(NodeProbe, tuple(rows)) if rows else None, code, tuple(errors))


def make_sentinel(app: App) -> None:
    """Create the sentinel through libcephfs: a file of one block that only root may read, without data."""
    from cephctl.doctor.sentinel import create

    site = site_of(app.config)
    path = f"{site.root.rstrip('/')}/{site.sentinel}"
    for made in app.ask_tenants(partial(create, path)):
        app.note(f"{path} {'created' if made else 'is there'}")
