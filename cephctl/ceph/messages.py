"""What a worker tells its parent."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Waiting:
    """The worker is about to make a call that may block: which daemon it waits for, and what
    for.
    """

    whom: str
    what: str


@dataclass(frozen=True)
class Mounted:
    """The worker holds an MDS session, which must be evicted if it is killed."""

    client_id: int
    daemons: tuple[str, ...]


@dataclass(frozen=True)
class Unmounted:
    """The session is closed again."""


@dataclass(frozen=True)
class Item:
    """One result of the job."""

    value: Any


@dataclass(frozen=True)
class Done:
    """Nothing more comes."""
