"""What commands return: frozen records whose fields are the JSON contract, with the columns a table
shows of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum, StrEnum
from typing import Any, ClassVar, Generic, TypeVar

from cephctl.errors import CephctlError, ExitStatus, Interrupted
from cephctl.remedy import Command

FORMATS = ("table", "json", "yaml", "csv")


class Kind(StrEnum):
    """How a column is written for people."""

    TEXT = "text"
    COUNT = "count"
    SIZE = "size"
    LIMIT = "limit"
    NUMBER_LIMIT = "number limit"
    PERCENT = "percent"
    AGO = "ago"
    TIME = "time"
    DURATION = "duration"
    STATE = "state"
    SEVERITY = "severity"


@dataclass(frozen=True)
class Column:
    """One column: the record's field, its title in a table, how it is written."""

    field: str
    title: str
    kind: Kind = Kind.TEXT


class Record:
    """A result. `columns` are what a table or csv shows; `sections` name the fields that are tables
    of their own.
    """

    columns: ClassVar[tuple[Column, ...]] = ()
    sections: ClassVar[tuple[tuple[str, type[Record]], ...]] = ()


R_co = TypeVar("R_co", bound=Record, covariant=True)


@dataclass(frozen=True)
class Table(Generic[R_co]):
    """Records of one type, which an empty answer cannot tell."""

    type: type[R_co]
    rows: tuple[R_co, ...]


@dataclass(frozen=True)
class Outcome:
    """A result together with how it ended: what failed is said after the result, and decides the
    exit status.
    """

    value: Any
    status: int = ExitStatus.OK
    errors: tuple[CephctlError, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Proposal:
    """What a command would change: it is shown, then asked, then executed. With `refused` it is
    not.

    `shown` is None when there is nothing to change. `warnings` are for the operator, before the
    question.
    """

    shown: Table[Any] | Record | None
    question: str
    execute: Callable[[], Outcome]
    refused: tuple[CephctlError, ...] = ()
    warnings: tuple[str, ...] = ()
    otherwise: Outcome | None = None
    """The outcome when nothing is executed: a dry run, or nothing to change."""


def status_of_errors(errors: Sequence[CephctlError], asked: int) -> ExitStatus:
    """Nodes that gave no answer: all of them is UNREACHABLE, some PARTIAL."""
    if not errors:
        return ExitStatus.OK
    return ExitStatus.UNREACHABLE if len(errors) == asked else ExitStatus.PARTIAL


def collect(kind: type[Record], answers: Iterator[Any], *notes: str) -> Outcome:
    """A table of the answers; names that failed are errors beside it. All failed is an error, some
    is PARTIAL.

    Should the cluster stop answering, or Ctrl-C end it, what came before is still the answer.
    """
    rows: list[Record] = []
    errors: list[CephctlError] = []
    try:
        for answer in answers:
            (errors if isinstance(answer, CephctlError) else rows).append(answer)
    except CephctlError as error:
        if not rows:
            raise
        errors.append(error)
    if errors and not rows:
        return Outcome(None, errors[0].status, tuple(errors))
    status = ExitStatus.PARTIAL if errors else ExitStatus.OK
    if any(isinstance(error, Interrupted) for error in errors):
        status = ExitStatus.INTERRUPTED
    return Outcome(Table(kind, tuple(rows)), status, tuple(errors), notes)


class Severity(IntEnum):
    """How bad a finding is; UNKNOWN is what could not be read."""

    OK = 0
    WARN = 1
    UNKNOWN = 2
    ERR = 3


@dataclass(frozen=True)
class Finding(Record):
    """One entry of `ceph health detail`, or one of ours in its shape.

    `node_says` and `cluster_says` are the evidence of the two sides. `remedy` is the next command,
    ready to paste into a shell of this machine, or of `remedy_host` where that is given; `commands`
    are the same as data.
    """

    code: str
    severity: Severity
    summary: str
    detail: tuple[str, ...] = ()
    node_says: tuple[str, ...] = ()
    cluster_says: tuple[str, ...] = ()
    remedy: str | None = None
    remedy_host: str | None = None
    commands: tuple[Command, ...] = ()

    columns = (
        Column("severity", "SEVERITY", Kind.SEVERITY),
        Column("code", "CODE"),
        Column("summary", "SUMMARY"),
        Column("detail", "DETAIL"),
    )


def status_of_findings(findings: Iterable[Finding], threshold: Severity | None) -> ExitStatus:
    """FINDINGS when one is at least as bad as the threshold; None is for never."""
    worst = max((finding.severity for finding in findings), default=Severity.OK)
    return ExitStatus.FINDINGS if threshold is not None and worst >= threshold else ExitStatus.OK
