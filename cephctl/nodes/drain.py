"""Take web nodes out of service in HAProxy, and put them back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.errors import CephctlError, ExitStatus, Refused, UsageError
from cephctl.haproxy import HAProxy
from cephctl.results import Column, Kind, Outcome, Proposal, Record, Table


@dataclass(frozen=True)
class NodeService(Record):
    """A node in HAProxy. `status` is UP, DOWN, DRAIN or MAINT; `sessions` are its running
    requests.
    """

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


def drain(deps: Deps, nodes: Sequence[Node], force: bool) -> Proposal:
    """Out of service, one after the other; the last server of a backend that is up stays, unless
    forced.
    """

    def out(haproxy: HAProxy, node: Node) -> None:
        servers = haproxy.servers(node.shard).values()
        if not force and not any(each.is_up and each.name != node.name for each in servers):
            raise Refused(
                f"{node.name} is the last UP server of {haproxy.of(node.shard)}",
                "--force drains it anyway",
            )
        haproxy.drain(node.shard, node.name)

    return proposal(deps, nodes, "Drain {}?", out)


def undrain(deps: Deps, nodes: Sequence[Node]) -> Proposal:
    """Back into service, and reported UP by the health check."""

    def back(haproxy: HAProxy, node: Node) -> None:
        haproxy.undrain(node.shard, node.name)

    return proposal(deps, nodes, "Put {} into service?", back)


def proposal(
    deps: Deps, nodes: Sequence[Node], question: str, change: Callable[[HAProxy, Node], None]
) -> Proposal:
    haproxy = deps.haproxy
    if haproxy is None:
        raise UsageError("no HAProxy is configured", "set 'socket' of [haproxy] in cephctl.toml")
    return Proposal(
        shown=Table(NodeService, tuple(service(haproxy, node) for node in nodes)),
        question=question.format(", ".join(node.name for node in nodes)),
        execute=partial(execute, deps, haproxy, nodes, change),
    )


def execute(
    deps: Deps, haproxy: HAProxy, nodes: Sequence[Node], change: Callable[[HAProxy, Node], None]
) -> Outcome:
    """One node after the other; the first that fails is the last."""
    done: list[NodeService] = []
    try:
        for node in nodes:
            deps.tell(f"waiting for HAProxy: {node.name}")
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
