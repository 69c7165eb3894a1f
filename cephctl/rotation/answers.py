"""What nodes answer to a rotation, typed at the border."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

from cephctl.nodes.remount import ClientId
from cephctl.parse import Malformed, parse
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Answer

T = TypeVar("T")


@dataclass(frozen=True)
class LookedMount:
    """A mount on the path: its type, and the entity of a CephFS mount."""

    type: str
    name: str | None


@dataclass(frozen=True)
class NodeLook:
    """What a node says before a switch: its mounts, whether one is staged, free bytes for key
    files, and versions.
    """

    mounts: tuple[LookedMount, ...]
    staged: bool
    free: int | None
    kernel: str
    ceph_common: str | None


@dataclass(frozen=True)
class SwitchReport:
    """What a node says after a switch; `gap` is the time without a mount in ms."""

    mounted: bool
    problem: str | None
    gap: float | None = None
    client: ClientId | None = None


@dataclass(frozen=True)
class RemoveReport:
    """The files that were, or would be, removed."""

    removed: tuple[str, ...]


def typed(kind: type[T], node: str, answer: Answer | NodeFailed) -> T | NodeFailed:
    if isinstance(answer, NodeFailed):
        return answer
    try:
        return parse(kind, answer.value)
    except Malformed as error:
        return NodeFailed("NODE_ANSWER_INVALID", node, f"its answer is invalid: {error}")
