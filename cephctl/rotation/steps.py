"""Steps, and the engine that carries them out: it looks at the world, never at its memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cephctl.errors import CephctlError, ExitStatus, Interrupted, Refused

LOOK_SECONDS = 60.0
"""How long the world may refuse to be looked at before a step: an MDS fails over in 20 s."""
POLL_SECONDS = 1.0


class Stalled(CephctlError):
    """A run stopped part-way, in a safe place; it can be resumed or rolled back."""

    status = ExitStatus.STALLED


@dataclass(frozen=True)
class Step:
    """One step. `missing` looks at the world and says what is not yet as it should be, None when all is; `act` changes it and may be
    cut off anywhere and begun again; `refused` says why it is not safe now. `seconds` is how long it may take to settle after `act`.
    """

    id: str
    text: str
    missing: Callable[[], str | None]
    act: Callable[[], Any]
    node: str | None = None
    refused: Callable[[], str | None] = lambda: None
    seconds: float = 60.0


Say = Callable[[str, str, Any], None]
"""Told of what happens: the step's id, what, and more about it."""


def carry_out(steps: Sequence[Step], say: Say, wait: Callable[[float], None] = time.sleep) -> None:
    """One after the other. What is settled already is left alone. Raises Stalled at the first that does not come out right."""
    for step in steps:
        if settles(step, wait, LOOK_SECONDS, look_only=True) is None:
            say(step.id, "settled", None)
            continue
        if reason := step.refused():
            raise Stalled(f"{step.text}: refused: {reason}")
        say(step.id, "started", None)
        begun = time.monotonic()
        detail = acted(step)
        if missing := settles(step, wait, step.seconds):
            raise Stalled(f"{step.text}: {missing}")
        say(
            step.id,
            "done",
            {
                "seconds": round(time.monotonic() - begun, 1),
                **(detail if isinstance(detail, dict) else {}),
            },
        )


def acted(step: Step) -> Any:
    try:
        return step.act()
    except (Stalled, Refused, Interrupted):
        raise
    except CephctlError as error:
        raise Stalled(f"{step.text}: {error.message}", error.hint) from error


def settles(
    step: Step, wait: Callable[[float], None], seconds: float, look_only: bool = False
) -> str | None:
    """Look until it is settled or the time is over: what is missing then. With `look_only` one good look is enough."""
    end = time.monotonic() + seconds
    while True:
        try:
            missing = step.missing()
            if missing is None or look_only:
                return missing
        except (Refused, Interrupted):
            # The lock is another's, or somebody said stop: no waiting mends that.
            raise
        except CephctlError as error:
            missing = error.message
        if time.monotonic() > end:
            if look_only:
                raise Stalled(f"{step.text}: cannot look: {missing}")
            return missing
        wait(POLL_SECONDS)
