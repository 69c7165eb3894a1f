"""What a check is, and the register of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import TYPE_CHECKING

from cephctl.results import Severity

if TYPE_CHECKING:
    from cephctl.doctor.view import View


class Layer(IntEnum):
    """Where a cause lies. Of several the deepest is the primary one; the others are what it leads to."""

    REACH = 0
    CLOCK = 1
    NETWORK = 2
    AUTH = 3
    BLOCKLIST = 4
    MDS = 5
    OSD = 6
    LOCAL = 7
    SYMPTOM = 8


@dataclass(frozen=True)
class Problem:
    """What one check found wrong. What is None or empty here is the check's own."""

    summary: str = ""
    detail: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()
    remedy: str | None = None
    host: str | None = None
    severity: Severity | None = None
    depth: Layer | None = None


Judge = Callable[["View"], Iterator[Problem]]


@dataclass(frozen=True)
class Check:
    """A rule over facts. `needs` are the sections of facts it reads: without one of them its answer is UNKNOWN."""

    code: str
    title: str
    severity: Severity
    depth: Layer
    needs: tuple[str, ...]
    remedy: str | None
    wide: bool
    judge: Judge

    @property
    def explanation(self) -> str:
        """What it means and what to do: the docstring."""
        return inspect.getdoc(self.judge) or ""


CHECKS: dict[str, Check] = {}
"""By code, in the order in which they are declared."""


def check(
    code: str,
    title: str,
    depth: Layer,
    *,
    severity: Severity = Severity.ERR,
    needs: tuple[str, ...] = (),
    remedy: str | None = None,
    wide: bool = False,
) -> Callable[[Judge], Judge]:
    """Declare a check. A `wide` one judges the cluster once, and not each node."""

    def declare(judge: Judge) -> Judge:
        CHECKS[code] = Check(code, title, severity, depth, needs, remedy, wide, judge)
        return judge

    return declare


REMOUNT = "cephctl node remount {node}"
PUSH = "cephctl node push {node} && cephctl node remount {node}"
