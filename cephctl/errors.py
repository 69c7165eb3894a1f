"""What can go wrong, and the exit status each of it has."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, unique


@unique
class ExitStatus(IntEnum):
    """The exit codes of every command; scripts may rely on them."""

    OK = 0
    ERROR = 1
    USAGE = 2
    FINDINGS = 3
    UNREACHABLE = 4
    PARTIAL = 5
    REFUSED = 6
    STALLED = 7
    INTERRUPTED = 130


class CephctlError(Exception):
    """One line in lower case that names the object, and a hint with the next step."""

    status = ExitStatus.ERROR

    def __init__(self, message: str, hint: str | None = None) -> None:
        super().__init__(message, hint)
        self.message = message
        self.hint = hint

    def __str__(self) -> str:
        return self.message


class UsageError(CephctlError):
    """The command line or the configuration is wrong."""

    status = ExitStatus.USAGE


class Unreachable(CephctlError):
    """No monitor answered, a daemon was silent until the deadline, or authentication was
    refused.
    """

    status = ExitStatus.UNREACHABLE


class Refused(CephctlError):
    """A safety gate said no; nothing was changed."""

    status = ExitStatus.REFUSED


class Cancelled(Refused):
    """The operator answered no; nothing was changed."""

    def __init__(self) -> None:
        super().__init__("cancelled; nothing was changed")


class NotFound(CephctlError):
    """The object does not exist."""


class Denied(CephctlError):
    """Ceph knows who we are and does not let us."""


class Blocklisted(CephctlError):
    """Our own client was evicted in mid-operation."""


class UnexpectedAnswer(CephctlError):
    """Ceph answered something this program does not understand."""


class Crashed(CephctlError):
    """The Ceph library took the worker process down with it."""


@dataclass(frozen=True)
class SilentDaemon:
    """A daemon that does not answer: its name (mon.a, or monitor where that is not known), its
    address, what is wrong.
    """

    name: str
    address: str
    problem: str

    def __str__(self) -> str:
        return f"{self.name} at {self.address} {self.problem}"


class Unanswered(Unreachable):
    """A call was still without answer at its deadline; `silent` are the daemons that do not answer
    either.
    """

    def __init__(
        self,
        whom: str,
        what: str,
        seconds: float,
        hint: str | None = None,
        silent: tuple[SilentDaemon, ...] = (),
    ) -> None:
        super().__init__(f"{whom} did not answer within {seconds:g} s (asked to {what})", hint)
        self.args = (whom, what, seconds, hint, silent)
        self.silent = silent
        self.whom = whom
        self.what = what
        self.seconds = seconds


class Interrupted(CephctlError):
    """Ctrl-C."""

    status = ExitStatus.INTERRUPTED
