"""What a command works with, handed down instead of the application: whom to ask, and about
what.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from cephctl.config import Config, Node
from cephctl.haproxy import HAProxy
from cephctl.site import Site, site_of
from cephctl.ssh.hosts import Answers, Question, ask_all

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster

ClusterQuestion = Callable[["Cluster"], Generator[Any, None, None]]
Ask = Callable[[ClusterQuestion], Iterator[Any]]


@dataclass(frozen=True)
class Deps:
    """`ask` sends a picklable question to the cluster, `ask_nodes` one to web nodes; answers come
    as they arrive.

    `seconds` is what a node may take to answer, `runs` the directory of the journals of runs.
    """

    ask: Ask
    ask_nodes: Callable[[Sequence[Node], Question], Answers]
    haproxy: HAProxy | None
    site: Site
    nodes: tuple[Node, ...]
    operator_entity: str
    runs: str
    seconds: float
    tell: Callable[[str], None] = lambda text: None
    """Hears what is being done now, for people to read."""


def deps_of(config: Config, ask: Ask, tell: Callable[[str], None]) -> Deps:
    site, socket = site_of(config), config["haproxy.socket"]
    return Deps(
        ask=ask,
        ask_nodes=partial(ask_all, config=site.ssh_config),
        haproxy=HAProxy(socket, config["haproxy.backend"] or None) if socket else None,
        site=site,
        nodes=config.nodes,
        operator_entity=config["ceph.name"],
        runs=config["runs.directory"],
        seconds=config["ssh.timeout"],
        tell=tell,
    )
