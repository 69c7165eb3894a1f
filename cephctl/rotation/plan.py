"""What a run sets out to do. It never changes, and holds no key."""

from __future__ import annotations

import getpass
import os
import socket
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import StrEnum

from cephctl.errors import UsageError


class Direction(StrEnum):
    """Forward to the new key, or back to the old one."""

    FORWARD = "forward"
    BACK = "back"


FORWARD, BACK = Direction.FORWARD, Direction.BACK


@dataclass(frozen=True)
class OldKey:
    """The key that a run replaces, by fingerprint, type and creation (seconds since the epoch)."""

    fingerprint: str
    type: str
    created: float


@dataclass(frozen=True)
class Plan:
    """The entity, its key and the nodes of a run.

    `skipped` are nodes that are left out, each with the reason. `entity` is what the nodes mount as
    at the end; with strategy "alternate" it is `other`.
    """

    run: str
    began: str
    operator: str
    host: str
    cluster: str
    strategy: str
    entity: str
    other: str
    caps: Mapping[str, str]
    old: OldKey
    key_type: str
    compromised: bool
    nodes: tuple[str, ...]
    skipped: Mapping[str, str]

    @property
    def lock(self) -> str:
        return f"run.{self.entity}"

    @property
    def who(self) -> str:
        return f"{self.operator}@{self.host}"

    def final_entity(self, direction: Direction) -> str:
        """The entity that the nodes mount as when the run has ended."""
        alternates = self.strategy == "alternate" and direction is FORWARD
        return self.other if alternates else self.entity

    def without(self, skipped: Mapping[str, str]) -> Plan:
        """The plan less some nodes, with the reasons."""
        nodes = tuple(node for node in self.nodes if node not in skipped)
        return replace(self, nodes=nodes, skipped={**self.skipped, **skipped})


def other_name(entity: str, strategy: str) -> str:
    """The second entity's name; with "alternate" the two take turns.

    >>> other_name("client.web", "overlap")
    'client.web-next'
    >>> other_name("client.web", "alternate"), other_name("client.web-b", "alternate")
    ('client.web-b', 'client.web')
    """
    if strategy == "alternate":
        return entity.removesuffix("-b") if entity.endswith("-b") else f"{entity}-b"
    return f"{entity}-next"


def new_run(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")


def operator() -> str:
    """The user's name, for other operators to read."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def this_host() -> str:
    """The name of the operator's machine."""
    return socket.gethostname()


def reasons(skip: tuple[str, ...], reason: str | None) -> dict[str, str]:
    """Nodes left out, each with the reason, which must be given."""
    if skip and not reason:
        raise UsageError(
            "--skip needs a reason, which is written to the journal", "add --reason TEXT"
        )
    return dict.fromkeys(skip, reason or "")
