"""The kernel clients that run on web nodes, and the blocklist entries that they still need."""

from __future__ import annotations

from functools import partial

from cephctl.cluster.blocklist import BlocklistEntry, find_entry, remove
from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.gather import Looks, gather
from cephctl.errors import Refused
from cephctl.parse import Unreadable
from cephctl.results import Outcome, Proposal, Table

ANYWAY = "--force removes it anyway"


def propose_removal(deps: Deps, address: str, force: bool) -> Proposal:
    """Take an entry off the blocklist; refused while the client of that address runs, unless
    `force`.
    """
    [entry] = deps.ask(partial(find_entry, address, deps.nodes))
    node = next((node for node in deps.nodes if node.name == entry.node), None)
    if node and not entry.range and not force:
        refuse_if_running(deps, node, address)

    def execute() -> Outcome:
        return Outcome(Table(BlocklistEntry, tuple(deps.ask(partial(remove, entry)))))

    plan = Table(BlocklistEntry, (entry,))
    return Proposal(plan, f"Remove {address} from the blocklist?", execute)


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
