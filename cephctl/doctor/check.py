"""What a check is, and the register of them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import TYPE_CHECKING, Literal

from cephctl.remedy import NODE, Remedy, here
from cephctl.results import Severity

if TYPE_CHECKING:
    from cephctl.doctor.view import View

Need = Literal[
    "clock",
    "mounts",
    "host",
    "clients",
    "network",
    "kernel_log",
    "unit",
    "dependents",
    "files",
    "fstab",
    "kernel_keys",
    "module",
    "directory",
    "holders",
    "sleepers",
    "cluster.monmap",
    "cluster.file_systems",
    "cluster.daemons",
    "cluster.osdmap",
    "cluster.entity",
    "cluster.health",
    "cluster.sessions",
]


class Layer(IntEnum):
    """Where a cause lies. Of several the deepest is the primary one; the others are what it leads
    to.
    """

    REACH = 0
    CLOCK = 1
    NETWORK = 2
    AUTH = 3
    BLOCKLIST = 4
    MDS = 5
    OSD = 6
    LOCAL = 7
    SYMPTOM = 8


class Scope(StrEnum):
    """Whether a check evaluates each node, or the cluster once."""

    NODE = "node"
    CLUSTER = "cluster"


class Topic(StrEnum):
    """What a check is about; `keys audit` runs those about keys, and says which nodes it could not
    ask.
    """

    MOUNT = "mount"
    KEYS = "keys"
    REACH = "reach"


@dataclass(frozen=True)
class Problem:
    """What one check found wrong. What is None or empty here is the check's own.

    `host` names the machine of a Ceph daemon, on which the remedy is to be run. `code` is Ceph's
    own health code.
    """

    summary: str = ""
    detail: tuple[str, ...] = ()
    node: tuple[str, ...] = ()
    cluster: tuple[str, ...] = ()
    remedy: Remedy = ()
    host: str | None = None
    severity: Severity | None = None
    layer: Layer | None = None
    code: str | None = None


Judge = Callable[["View"], Iterator[Problem]]


@dataclass(frozen=True)
class Check:
    """A rule over facts, and all that depends on it.

    `needs` are the sections of facts it reads: without one of them its result is UNKNOWN. With a
    finding that `prevents_mount` no mount is taken away; one that `blocks_rotation` stops a
    rotation even as a warning.
    """

    code: str
    title: str
    severity: Severity
    layer: Layer
    needs: tuple[Need, ...]
    remedy: Remedy
    scope: Scope
    topic: Topic
    prevents_mount: bool
    blocks_rotation: bool
    judge: Judge

    @property
    def explanation(self) -> str:
        """What it means and what to do: the docstring."""
        return inspect.getdoc(self.judge) or ""


_CHECKS: dict[str, Check] = {}


def load_checks() -> Mapping[str, Check]:
    """All checks by code, in the order of their modules and lines: of equals the earlier is the
    cause.
    """
    import cephctl.doctor.checks  # noqa: F401 - declares them

    return _CHECKS


def check(  # noqa: PLR0913 - a declaration: all but three have defaults
    code: str,
    title: str,
    layer: Layer,
    *,
    severity: Severity = Severity.ERR,
    needs: tuple[Need, ...] = (),
    remedy: Remedy = (),
    scope: Scope = Scope.NODE,
    topic: Topic = Topic.MOUNT,
    prevents_mount: bool = False,
    blocks_rotation: bool = False,
) -> Callable[[Judge], Judge]:
    """Declare a check."""

    def declare(judge: Judge) -> Judge:
        _CHECKS[code] = Check(
            code,
            title,
            severity,
            layer,
            needs,
            remedy,
            scope,
            topic,
            prevents_mount,
            blocks_rotation,
            judge,
        )
        return judge

    return declare


REMOUNT: Remedy = (here("cephctl", "node", "remount", NODE),)
PUSH: Remedy = (here("cephctl", "node", "push", NODE),)
PUSH_AND_REMOUNT: Remedy = (*PUSH, *REMOUNT)
