"""Whether the mounts of web nodes work: in one line, or probe by probe."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.facts import Probe
from cephctl.errors import ExitStatus
from cephctl.parse import Malformed, parse
from cephctl.results import Column, Kind, Outcome, Record, Table, status_of_errors
from cephctl.site import request
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Answer, Question

HEALTH_SECONDS = 3.0
PROBES = ("mon", "mds", "osd")


@dataclass(frozen=True)
class NodeHealth(Record):
    """The mount of one node in one line. The last four fields are what the platform's heartbeat
    carries.
    """

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
    """One of the three probes of one node's mount. `status` is ok, hung, busy, error or not
    mounted.
    """

    node: str
    daemon: str
    status: str
    seconds: float | None
    error: str | None

    columns = (
        Column("node", "NODE"),
        Column("daemon", "DAEMON"),
        Column("status", "STATUS", Kind.STATE),
        Column("seconds", "SECONDS"),
        Column("error", "ERROR"),
    )


@dataclass(frozen=True)
class HealthAnswer:
    """What the node program answers: whether CephFS is mounted, and the probes of it."""

    mounted: bool
    probes: Mapping[str, Probe]


Answers = list[tuple[Node, HealthAnswer | NodeFailed, datetime]]


def ask(deps: Deps, nodes: Sequence[Node], write: bool) -> Answers:
    """Each node's answer, in the order of the nodes; with `write` the sentinel is written too."""
    arguments = request(deps.site, HEALTH_SECONDS) | {"write": write}
    deps.tell(f"probing {len(nodes)} nodes")
    question = Question("health.health", lambda _: arguments, deps.seconds)
    found = {node.name: typed(node, answer) for node, answer in deps.ask_nodes(nodes, question)}
    return [(node, *found[node.name]) for node in nodes]


def typed(node: Node, answer: Answer | NodeFailed) -> tuple[HealthAnswer | NodeFailed, datetime]:
    if isinstance(answer, NodeFailed):
        return answer, datetime.now(UTC)
    at = datetime.fromtimestamp(answer.answered, UTC)
    try:
        return parse(HealthAnswer, answer.value), at
    except Malformed as error:
        problem = f"its answer is invalid: {error}"
        return NodeFailed("NODE_ANSWER_INVALID", node.name, problem), at


def health(deps: Deps, nodes: Sequence[Node]) -> Outcome:
    """One line for each node."""
    rows = tuple(health_of(*each) for each in ask(deps, nodes, write=True))
    return Outcome(Table(NodeHealth, rows), status(rows))


def health_of(node: Node, answer: HealthAnswer | NodeFailed, at: datetime) -> NodeHealth:
    if isinstance(answer, NodeFailed):
        return NodeHealth(node.name, node.shard, None, None, None, answer.problem)
    found = {name: answer.probes[name] for name in PROBES if name in answer.probes}
    bad = [f"{name}: {trouble(probe)}" for name, probe in found.items() if probe.status != "ok"]
    works = {name for name, probe in found.items() if probe.status == "ok"}
    mounted = answer.mounted and {"mon", "mds"} <= works
    error = "; ".join(bad) or (None if mounted else "not mounted")
    return NodeHealth(node.name, node.shard, mounted, mounted and "osd" in works, at, error)


def trouble(probe: Probe) -> str:
    if probe.status == "hung":
        return f"no answer in {probe.seconds or 0:.0f} s"
    if probe.status == "busy":
        return f"an earlier probe still hangs (pid {probe.pid})"
    return str(probe.error)


def status(rows: Sequence[NodeHealth]) -> ExitStatus:
    """Unreachable nodes first, then mounts that do not work."""
    lost = [row for row in rows if row.cephfs_mounted is None]
    if lost:
        return ExitStatus.UNREACHABLE if len(lost) == len(rows) else ExitStatus.PARTIAL
    return ExitStatus.OK if all(row.cephfs_writable for row in rows) else ExitStatus.FINDINGS


def probe(deps: Deps, nodes: Sequence[Node]) -> Outcome:
    """A line for each probe of each node."""
    answers = ask(deps, nodes, write=False)
    errors = tuple(answer for _, answer, _ in answers if isinstance(answer, NodeFailed))
    rows = tuple(
        row
        for node, answer, _ in answers
        if isinstance(answer, HealthAnswer)
        for row in probes_of(node, answer)
    )
    code = ExitStatus.OK if all(row.status == "ok" for row in rows) else ExitStatus.FINDINGS
    if errors:
        code = status_of_errors(errors, len(nodes))
    return Outcome(Table(NodeProbe, rows) if rows else None, code, errors)


def probes_of(node: Node, answer: HealthAnswer) -> Iterator[NodeProbe]:
    if not answer.mounted:
        yield NodeProbe(node.name, "-", "not mounted", None, None)
    for name, each in answer.probes.items():
        yield NodeProbe(node.name, name, each.status, each.seconds, each.error)
