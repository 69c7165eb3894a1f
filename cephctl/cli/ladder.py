"""cephctl node mount, umount, remount"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from cephctl.cli.app import App
from cephctl.cli.doctor import asked
from cephctl.config import Node
from cephctl.doctor.cluster_facts import read_facts
from cephctl.doctor.verdict import examine
from cephctl.errors import CephctlError, ExitStatus, Interrupted
from cephctl.nodes.remount import NodeChange, Order, PlannedStep, carry_out, plan, refusals
from cephctl.results import Outcome, Table
from cephctl.site import site_of

QUESTIONS = {"mount": "Mount {}?", "umount": "Unmount {}?", "remount": "Remount {}?"}


def run(app: App, nodes: Sequence[Node], verb: str, **options: bool) -> Outcome:
    """Look first, refuse what is unsafe, show the ladder, ask, climb."""
    order = Order(verb, **options)
    facts = asked(app, nodes, None, pins=True)
    found = examine(facts.nodes, facts.cluster, facts.site)
    steps = Table(PlannedStep, tuple(plan(order, facts)))
    refused = tuple(refusals(order, facts, found))
    if refused or app.dry_run:
        return Outcome(
            steps if not refused else None,
            ExitStatus.REFUSED if refused else ExitStatus.OK,
            refused,
        )
    if not app.yes:
        app.confirm(steps, QUESTIONS[verb].format(", ".join(node.name for node in nodes)))
    changes: list[NodeChange] = []
    try:
        for change in carry_out(order, nodes, facts, partial(sessions, app)):
            changes.append(change)  # noqa: PERF402 - what was done counts when the rest is interrupted
    except KeyboardInterrupt:
        return interrupted(order, nodes, changes)
    return outcome(app, order, nodes, tuple(changes))


def interrupted(order: Order, nodes: Sequence[Node], changes: list[NodeChange]) -> Outcome:
    """The node at work goes on to the end of its ladder by itself; the rest is not begun."""
    node = nodes[min(len(changes), len(nodes) - 1)].name
    hint = f"{node} goes on by itself to the end; look with: cephctl node doctor {node}"
    error = Interrupted(f"interrupted during the {order.verb} of {node}", hint)
    return Outcome(Table(NodeChange, tuple(changes)) if changes else None, error.status, (error,))


def sessions(app: App) -> list[Any]:
    site = site_of(app.config)
    return [
        each
        for name, value in app.ask(partial(read_facts, site.entity, True))
        if name == "sessions" and isinstance(value, list)
        for each in value
    ]


def outcome(
    app: App, order: Order, nodes: Sequence[Node], changes: tuple[NodeChange, ...]
) -> Outcome:
    """All done, or: which node failed and why in the doctor's words, how it is now, and who was not touched."""
    failed = changes[-1] if changes and changes[-1].problem else None
    if not failed:
        return Outcome(Table(NodeChange, changes))
    names = [node.name for node in nodes]
    untouched = names[names.index(failed.node) + 1 :]
    lines = [
        f"it is {failed.state}"
        + (f"; stopped: {', '.join(failed.stopped)}" if failed.stopped else "")
    ]
    if untouched:
        lines.append(f"not touched: {', '.join(untouched)}")
    lines += diagnosis(app, next(node for node in nodes if node.name == failed.node))
    error = CephctlError(f"{failed.node}: {order.verb} failed: {failed.problem}", "\n".join(lines))
    return Outcome(
        Table(NodeChange, changes),
        ExitStatus.PARTIAL if len(changes) > 1 else ExitStatus.ERROR,
        (error,),
    )


def diagnosis(app: App, node: Node) -> list[str]:
    facts = asked(app, [node], 5.0)
    [verdict] = examine(facts.nodes, facts.cluster, facts.site).nodes
    if not verdict.code:
        return []
    return [
        f"{verdict.code}: {verdict.summary}",
        *([f"do: {verdict.remedy}"] if verdict.remedy else []),
    ]
