"""Mount, umount and remount web nodes: one after the other, and no further than the first that
fails.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from cephctl.cluster.sessions import MdsSession, read_sessions
from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.gather import Facts, Looks, gather
from cephctl.doctor.verdict import Diagnosis, NodeVerdict, examine, prevents_mount
from cephctl.doctor.view import View, known
from cephctl.errors import CephctlError, ExitStatus, Interrupted, Refused
from cephctl.parse import Malformed, parse
from cephctl.results import Column, Finding, Kind, Outcome, Proposal, Record, Table
from cephctl.site import request
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Question

# Beyond what the kernel takes for a mount: the services' stop and start, three tiers of umount, the
# probes.
REMOUNT_SECONDS = 120
MOUNT_SECONDS = 75
VERBS = {"mount": "mounted", "umount": "unmounted", "remount": "remounted"}


@dataclass(frozen=True)
class NodeStep(Record):
    """One step on one node."""

    node: str
    step: str

    columns = (Column("node", "NODE"), Column("step", "STEP"))


@dataclass(frozen=True)
class DoneStep:
    """One step that a node carried out, or failed at; `detail` is what it reported."""

    step: str
    done: bool
    seconds: float
    detail: str | None


@dataclass(frozen=True)
class ClientId:
    """A kernel client: its ID, and its address and nonce where the kernel tells it."""

    id: int
    instance: str | None


@dataclass(frozen=True)
class Report:
    """What the node program answers to mount, umount and remount."""

    mounted: bool
    client: ClientId | None
    problem: str | None
    steps: tuple[DoneStep, ...]
    stopped: tuple[str, ...]
    zombies: tuple[ClientId, ...]
    aside: str | None


@dataclass(frozen=True)
class NodeChange(Record):
    """What became of one node. `state` is "mounted", "not mounted" or "unknown"; `stopped` are
    services that do not run now.
    """

    node: str
    result: str
    state: str
    instance_before: str | None
    instance_after: str | None
    session: int | None
    seconds: float
    stopped: tuple[str, ...]
    zombies: tuple[str, ...]
    aside: str | None
    problem: str | None
    steps: tuple[DoneStep, ...]

    columns = (
        Column("node", "NODE"),
        Column("result", "RESULT"),
        Column("state", "STATE"),
        Column("instance_after", "CLIENT"),
        Column("session", "SESSION"),
        Column("seconds", "DURATION", Kind.DURATION),
        Column("stopped", "STOPPED"),
        Column("zombies", "ZOMBIES"),
        Column("aside", "SET ASIDE"),
        Column("problem", "PROBLEM"),
    )


@dataclass(frozen=True)
class Order:
    """What was asked for. `force` proceeds even if a check predicts that the mount will fail."""

    verb: str
    kill: bool = False
    set_aside: bool = False
    force: bool = False


QUESTIONS = {"mount": "Mount {}?", "umount": "Unmount {}?", "remount": "Remount {}?"}


def propose(deps: Deps, order: Order, nodes: Sequence[Node]) -> Proposal:
    """Look at both sides, refuse what is unsafe, and plan the steps of each node."""
    facts = gather(deps, nodes, Looks(probe=None, holders=True))
    refused = tuple(refusals(order, facts, examine(facts)))
    views = [View(node, facts.cluster, facts.site) for node in facts.nodes]
    steps = tuple(NodeStep(each.node.name, step) for each in views for step in plan(order, each))
    before = {each.node.name: each.instance for each in views}
    return Proposal(
        shown=Table(NodeStep, steps),
        question=QUESTIONS[order.verb].format(", ".join(node.name for node in nodes)),
        execute=partial(execute, deps, order, nodes, before),
        refused=refused,
    )


def refusals(order: Order, facts: Facts, found: Diagnosis) -> Iterator[CephctlError]:
    """Why it is not safe now, node by node."""
    for node, verdict in zip(facts.nodes, found.nodes, strict=True):
        view = View(node, facts.cluster, facts.site)
        if node.failure:
            yield Refused(f"{node.name} does not answer: {node.failure.problem}", verdict.remedy)
        elif order.verb != "umount" and not order.force and (finding := blocking(verdict)):
            hint = f"{finding.remedy}\nor use --force" if finding.remedy else "or use --force"
            yield Refused(
                f"{node.name} would not mount again: {finding.code}: {finding.summary}", hint
            )
        elif order.verb == "mount" and view.mounts_here:
            yield Refused(
                f"{node.name}: {facts.site.path} is already mounted",
                f"cephctl node remount {node.name}",
            )
        elif order.verb == "umount" and not view.mounts_here:
            yield Refused(f"{node.name}: {facts.site.path} is not mounted")
        else:
            yield from busy(order, view)


def blocking(verdict: NodeVerdict) -> Finding | None:
    return next(filter(prevents_mount, verdict.findings), None)


def busy(
    order: Order, view: View, hint: str = "end them, or kill them with --kill"
) -> Iterator[CephctlError]:
    """Processes outside services use the mount: a login shell, a job. They are killed only on
    request.

    Files in the mount point are moved only on request, too.
    """
    name, path = view.node.name, view.site.path
    outside = [each for each in view.holders("live") if not each.is_service]
    if order.verb != "mount" and not order.kill and outside:
        yield Refused(f"{name}: {'; '.join(map(str, outside))}", hint)
    directory = view.directory
    if order.verb != "umount" and not order.set_aside and directory.entries:
        first = ", ".join(directory.first)
        yield Refused(
            (
                f"{name}: {path} contains {directory.entries} entries, which a mount would "
                f"hide: {first}"
            ),
            f"--set-aside moves them to {path}.shadowed-DATE on the same disk",
        )


def plan(order: Order, view: View) -> Iterator[str]:
    """The steps of one node, as its facts are now."""
    services = services_of(view)
    if order.verb != "mount" and view.mounts_here:
        if services:
            yield f"stop {' '.join(services)}"
        outside = [each for each in view.holders("live") if not each.is_service]
        if outside:
            names = ", ".join(f"{each.command} ({each.pid})" for each in outside)
            yield f"kill {names}" if order.kill else f"refuse: {names} uses it"
        times = f" {len(view.mounts_here)} times" if len(view.mounts_here) > 1 else ""
        yield f"umount {view.site.path}{times} (then -f, then -l)"
        yield f"wait for client {view.instance or '(the old one)'} to disconnect"
    if order.verb != "umount":
        if order.set_aside and view.directory.entries:
            yield f"move files in the mount point to {view.site.path}.shadowed-DATE"
        yield f"systemctl start {view.unit.name}"
        yield "verify: new client ID, mon/mds/osd probes, open MDS session"
        if services:
            yield f"start {' '.join(services)}"


def services_of(view: View) -> list[str]:
    """Those that use the mount, and those that systemd stops with it."""
    required = [
        each.unit
        for each in known(view.node.facts.dependents, ())
        if {"Requires", "BindsTo"} & set(each.dependencies)
    ]
    using = [each.unit for each in view.holders("live") if each.is_service and each.unit]
    return sorted({*required, *using})


def execute(
    deps: Deps, order: Order, nodes: Sequence[Node], before: Mapping[str, str | None]
) -> Outcome:
    """Node after node; the first one that fails is the last one. What was done counts when the rest
    is interrupted.
    """
    changes: list[NodeChange] = []
    try:
        for number, node in enumerate(nodes, start=1):
            deps.tell(f"{order.verb} {node.name} ({number} of {len(nodes)})")
            changes.append(change_one(deps, order, node, before[node.name]))
            if changes[-1].problem:
                break
    except KeyboardInterrupt:
        return interrupted(order, nodes, changes)
    return outcome(deps, order, nodes, tuple(changes))


def change_one(deps: Deps, order: Order, node: Node, before: str | None) -> NodeChange:
    arguments = request(deps.site, None) | {
        "kill": order.kill,
        "set_aside": order.set_aside,
        "mount_seconds": MOUNT_SECONDS,
    }
    question = Question(
        f"remount.{order.verb}", lambda _: arguments, REMOUNT_SECONDS + MOUNT_SECONDS
    )
    [(_, answer)] = deps.ask_nodes([node], question)
    if isinstance(answer, NodeFailed):
        return unknown(node, before, f"{answer.problem}; it may still be in progress there")
    try:
        report = parse(Report, answer.value)
    except Malformed as error:
        return unknown(node, before, f"its answer is invalid: {error}")
    return verified(deps, order, node, report, before)


def unknown(node: Node, before: str | None, problem: str) -> NodeChange:
    return NodeChange(
        node.name, "failed", "unknown", before, None, None, 0.0, (), (), None, problem, ()
    )


def verified(
    deps: Deps, order: Order, node: Node, report: Report, before: str | None
) -> NodeChange:
    """The node's own report, and the cluster's confirmation: an open session of the new client."""
    problem, session = report.problem, None
    instance = report.client.instance if report.client else None
    if not problem and order.verb != "umount" and instance:
        session = next((each for each in sessions(deps) if each.address == instance), None)
        if session is None or session.state != "open":
            problem = f"mounted, but no MDS has an open session of {instance}"
    return NodeChange(
        node=node.name,
        result="failed" if problem else VERBS[order.verb],
        state="mounted" if report.mounted else "not mounted",
        instance_before=before,
        instance_after=instance,
        session=session.id if session else None,
        seconds=round(sum(step.seconds for step in report.steps), 1),
        stopped=report.stopped,
        zombies=tuple(each.instance or str(each.id) for each in report.zombies),
        aside=report.aside,
        problem=problem,
        steps=report.steps,
    )


def sessions(deps: Deps) -> list[MdsSession]:
    return list(deps.ask(partial(read_sessions, deps.nodes, ())))


def interrupted(order: Order, nodes: Sequence[Node], changes: list[NodeChange]) -> Outcome:
    """The node in progress continues to the end on its own; the others are not begun."""
    node = nodes[min(len(changes), len(nodes) - 1)].name
    error = Interrupted(
        f"interrupted during the {order.verb} of {node}",
        (
            f"{order.verb} continues on {node} in the background; check with: cephctl node "
            f"doctor {node}"
        ),
    )
    return Outcome(Table(NodeChange, tuple(changes)) if changes else None, error.status, (error,))


def outcome(
    deps: Deps, order: Order, nodes: Sequence[Node], changes: tuple[NodeChange, ...]
) -> Outcome:
    """All done; or which node failed and why, in the doctor's words, how it is now, and which nodes
    were skipped.
    """
    table = Table(NodeChange, changes)
    failed = changes[-1] if changes and changes[-1].problem else None
    if not failed:
        return Outcome(table)
    names = [node.name for node in nodes]
    skipped = names[names.index(failed.node) + 1 :]
    stopped = f"; stopped: {', '.join(failed.stopped)}" if failed.stopped else ""
    lines = [f"it is {failed.state}{stopped}"]
    lines += [f"skipped: {', '.join(skipped)}"] if skipped else []
    lines += diagnosis(deps, next(node for node in nodes if node.name == failed.node))
    error = CephctlError(f"{failed.node}: {order.verb} failed: {failed.problem}", "\n".join(lines))
    status = ExitStatus.PARTIAL if len(changes) > 1 else ExitStatus.ERROR
    return Outcome(table, status, (error,))


def diagnosis(deps: Deps, node: Node) -> list[str]:
    [verdict] = examine(gather(deps, [node])).nodes
    if not verdict.code:
        return []
    fix = [f"do: {verdict.remedy}"] if verdict.remedy else []
    return [f"{verdict.code}: {verdict.summary}", *fix]
