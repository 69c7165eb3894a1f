"""cephctl node drain, undrain"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from cephctl.cli.app import App
from cephctl.cli.rotate import balancer
from cephctl.config import Node
from cephctl.errors import CephctlError, ExitStatus, Refused, UsageError
from cephctl.haproxy import HAProxy
from cephctl.results import Column, Kind, Outcome, Record, Table


@dataclass(frozen=True)
class NodeService(Record):
    """A node as HAProxy has it. `status` is HAProxy's word: UP, DOWN, DRAIN, MAINT; `sessions` are its running requests."""

    node: str
    backend: str
    status: str
    sessions: int

    columns = (
        Column("node", "NODE"),
        Column("backend", "BACKEND"),
        Column("status", "STATUS"),
        Column("sessions", "SESSIONS", Kind.COUNT),
    )


def drain(app: App, nodes: Sequence[Node], force: bool) -> Outcome:
    """Out of service, one after the other; the last that is up of a backend stays, unless forced."""

    def out(haproxy: HAProxy, node: Node) -> None:
        others = [
            each
            for each in haproxy.servers(node.shard).values()
            if each.is_up and each.name != node.name
        ]
        if not others and not force:
            raise Refused(
                f"{node.name} is the last server of {haproxy.of(node.shard)} that is up",
                "--force drains it all the same",
            )
        haproxy.drain(node.shard, node.name)

    return changed(app, nodes, "Drain {}?", out)


def undrain(app: App, nodes: Sequence[Node]) -> Outcome:
    """Into service again, and seen up."""
    return changed(
        app,
        nodes,
        "Put {} into service?",
        lambda haproxy, node: haproxy.undrain(node.shard, node.name),
    )


def changed(
    app: App, nodes: Sequence[Node], question: str, change: Callable[[HAProxy, Node], None]
) -> Outcome:
    """Show, ask, do; the first that fails is the last."""
    haproxy = balancer(app)
    if haproxy is None:
        raise UsageError("no HAProxy is configured", "set 'socket' of [haproxy] in cephctl.toml")
    before = Table(NodeService, tuple(service(haproxy, node) for node in nodes))
    if app.dry_run:
        return Outcome(before)
    if not app.yes:
        app.confirm(before, question.format(", ".join(node.name for node in nodes)))
    done: list[NodeService] = []
    try:
        for node in nodes:
            change(haproxy, node)
            done.append(service(haproxy, node))
    except CephctlError as error:
        if not done:
            raise
        return Outcome(Table(NodeService, tuple(done)), ExitStatus.PARTIAL, (error,))
    return Outcome(Table(NodeService, tuple(done)))


def service(haproxy: HAProxy, node: Node) -> NodeService:
    found = haproxy.server(node.shard, node.name)
    return NodeService(node.name, haproxy.of(node.shard), found.status, found.sessions)
