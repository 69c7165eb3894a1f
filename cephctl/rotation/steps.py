"""Steps, and the engine that executes them: it looks at the current state, never at its memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from cephctl.errors import CephctlError, ExitStatus, Interrupted, Refused
from cephctl.waiting import wait_for

LOOK_SECONDS = 60.0
"""How long the state may be unreadable before a step: an MDS fails over in 20 s."""
POLL_SECONDS = 1.0


class Stalled(CephctlError):
    """A run stopped part-way, in a safe place; it can be resumed or rolled back."""

    status = ExitStatus.STALLED


class StepKind(StrEnum):
    """What a step does. Its subject is an entity, a node, or which sessions."""

    CREATE = "create"
    AWAY = "away"
    BACK = "back"
    TO = "to"
    UNUSED = "unused"
    REKEY = "rekey"
    FILES = "files"
    RESTORE = "restore"
    REMOVE = "remove"
    CLEAN = "clean"
    EVICT = "evict"


@dataclass(frozen=True)
class Done:
    """What a step reports: of a switch the longest time without a mount (ms) and the new client;
    the evicted sessions.
    """

    gap_ms: float | None = None
    instance: str | None = None
    drain: str | None = None
    evicted: tuple[str, ...] = ()


@dataclass(frozen=True)
class Step:
    """One step. `missing` says what is not yet as it should be, None when all is. `act` changes it;
    it may be interrupted anywhere and repeated. `refused` says why it is not safe now. `seconds` is
    how long it may take to settle after `act`.
    """

    kind: StepKind
    subject: str
    text: str
    missing: Callable[[], str | None]
    act: Callable[[], Done | None]
    refused: Callable[[], str | None] = lambda: None
    seconds: float = 60.0


@dataclass(frozen=True)
class Look:
    """What is missing; `failed` when it could not be determined, and `missing` is why."""

    missing: str | None
    failed: bool = False


class Listener:
    """Hears what happens to each step; a journal is one."""

    def settled(self, step: Step) -> None:
        """It was so already."""

    def started(self, step: Step) -> None:
        """Its action begins."""

    def done(self, step: Step, done: Done, seconds: float) -> None:
        """Its action has settled."""


def carry_out(
    steps: Sequence[Step], listener: Listener, wait: Callable[[float], None] = time.sleep
) -> None:
    """One after the other. What is settled already is left alone. Raises Stalled at the first that
    fails.
    """
    for step in steps:
        if is_settled(step, wait):
            listener.settled(step)
            continue
        if reason := step.refused():
            raise Stalled(f"{step.text}: refused: {reason}")
        listener.started(step)
        begun = time.monotonic()
        done = acted(step)
        if missing := settle(step, wait):
            raise Stalled(f"{step.text}: {missing}")
        listener.done(step, done or Done(), round(time.monotonic() - begun, 1))


def acted(step: Step) -> Done | None:
    try:
        return step.act()
    except (Stalled, Refused, Interrupted):
        raise
    except CephctlError as error:
        raise Stalled(f"{step.text}: {error.message}", error.hint) from error


def is_settled(step: Step, wait: Callable[[float], None]) -> bool:
    """Whether nothing is missing; one good look is enough. Stalled when there is none in time."""
    found = wait_for(
        lambda: look(step), LOOK_SECONDS, POLL_SECONDS, wait, until=lambda seen: not seen.failed
    )
    if found.failed:
        raise Stalled(f"{step.text}: the state cannot be determined: {found.missing}")
    return found.missing is None


def settle(step: Step, wait: Callable[[float], None]) -> str | None:
    """Wait until nothing is missing; what still is when the time is over."""
    found = wait_for(
        lambda: look(step), step.seconds, POLL_SECONDS, wait, until=lambda seen: not seen.missing
    )
    return found.missing


def look(step: Step) -> Look:
    """A lock that was lost, or Ctrl-C, is raised: waiting does not fix that."""
    try:
        return Look(step.missing())
    except (Refused, Interrupted):
        raise
    except CephctlError as error:
        return Look(error.message, failed=True)
