"""The kernel clients that run on web nodes."""

from __future__ import annotations

from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.gather import Looks, gather
from cephctl.errors import Refused
from cephctl.parse import Unreadable

ANYWAY = "--force removes it anyway"


def refuse_if_running(deps: Deps, node: Node, address: str) -> None:
    """Refused when the client with this address and nonce still runs on a node, or when the node
    cannot tell.
    """
    [found] = gather(deps, [node], Looks(probe=None, cluster=False)).nodes
    whether = "whether that client still runs"
    if found.failure:
        raise Refused(f"{node.name} does not tell {whether}: {found.failure.problem}", ANYWAY)
    clients = found.facts.clients
    if isinstance(clients, Unreadable):
        raise Refused(f"{node.name} does not tell {whether}: {clients.reason}", ANYWAY)
    if any(client.instance == address for client in clients):
        raise Refused(
            (
                f"{address} is a running client of {node.name}; it stays rejected without the "
                "entry too"
            ),
            f"cephctl node remount {node.name}",
        )
