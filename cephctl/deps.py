"""What a command works with, handed down instead of the application: whom to ask, and about
what.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cephctl.config import Node
from cephctl.haproxy import HAProxy
from cephctl.site import Site
from cephctl.ssh.hosts import Answers, Question

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster

ClusterQuestion = Callable[["Cluster"], Generator[Any, None, None]]


@dataclass(frozen=True)
class Deps:
    """`ask` sends a picklable question to the cluster, `ask_nodes` one to web nodes; answers come
    as they arrive.

    `seconds` is what a node may take to answer, `runs` the directory of the journals of runs.
    """

    ask: Callable[[ClusterQuestion], Iterator[Any]]
    ask_nodes: Callable[[Sequence[Node], Question], Answers]
    haproxy: HAProxy | None
    site: Site
    nodes: tuple[Node, ...]
    operator_entity: str
    runs: str
    seconds: float
    tell: Callable[[str], None] = lambda text: None
    """Hears what is being done now, for people to read."""
