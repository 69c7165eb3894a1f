"""What `node doctor` answers: the result of an examination, the list of checks, one check
explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.check import Check, load_checks
from cephctl.doctor.gather import Facts, Looks, gather, load, save
from cephctl.doctor.verdict import (
    UNREADABLE,
    UNREADABLE_EXPLANATION,
    UNREADABLE_TITLE,
    Diagnosis,
    examine,
)
from cephctl.errors import ExitStatus, UsageError
from cephctl.remedy import shell
from cephctl.results import Column, Kind, Outcome, Record, Severity, Table, status_of_findings
from cephctl.text import near

NAGIOS = {
    Severity.OK: (0, "OK"),
    Severity.WARN: (1, "WARNING"),
    Severity.ERR: (2, "CRITICAL"),
    Severity.UNKNOWN: (3, "UNKNOWN"),
}
"""Exit status and word of a monitoring plugin, as the Monitoring Plugins guidelines have them."""


@dataclass(frozen=True)
class CheckRow(Record):
    """One check of `--list`."""

    code: str
    severity: Severity
    title: str

    columns = (
        Column("code", "CODE"),
        Column("severity", "SEVERITY", Kind.SEVERITY),
        Column("title", "TITLE"),
    )


@dataclass(frozen=True)
class Order:
    """What was asked for: codes of checks to run or not, a file to save the facts to, one to read
    them from instead.
    """

    names: Sequence[str] = ()
    only: Sequence[str] = ()
    skip: Sequence[str] = ()
    save: str | None = None
    source: str | None = None
    probe: bool = True


def listing() -> Table[CheckRow]:
    rows = [CheckRow(each.code, each.severity, each.title) for each in load_checks().values()]
    return Table(CheckRow, (*rows, CheckRow(UNREADABLE, Severity.UNKNOWN, UNREADABLE_TITLE)))


def explanation(code: str) -> str:
    """What a check means, and its remedy."""
    if code.upper() == UNREADABLE:
        return f"{UNREADABLE}: {UNREADABLE_TITLE}\n\n{UNREADABLE_EXPLANATION}\n"
    each = known(code)
    remedy = f"\nRemedy: {remedy_of(each)}\n" if each.remedy else ""
    return f"{each.code}: {each.title}\n\n{each.explanation}\n{remedy}"


def remedy_of(each: Check) -> str:
    """Its remedy, with words such as NODE in the places of names."""
    return shell(each.remedy, lambda node: ["ssh", "-n", node])


def known(code: str) -> Check:
    checks = load_checks()
    if code.upper() in checks:
        return checks[code.upper()]
    alike = near(code.upper(), checks)
    raise UsageError(
        f"unknown check {code}",
        f"did you mean {', '.join(alike)}?" if alike else "'cephctl node doctor --list' lists them",
    )


def examined(deps: Deps, nodes: Sequence[Node], order: Order) -> tuple[Facts, Diagnosis]:
    """Gather the facts, or read them from a file, and evaluate them."""
    only, skip = ([known(code).code for code in each] for each in (order.only, order.skip))
    if order.source:
        facts = selected(load(order.source), order.names)
    else:
        facts = gather(deps, nodes, Looks() if order.probe else Looks(probe=None))
    if order.save:
        save(facts, order.save)
    return facts, examine(facts, only, skip)


def selected(facts: Facts, names: Sequence[str]) -> Facts:
    """The named nodes of a file, by name or shard; all of them without names."""
    there = {name for node in facts.nodes for name in (node.name, node.shard)}
    if unknown := [name for name in names if name not in there]:
        raise UsageError(
            f"the file has no node {unknown[0]}",
            f"its nodes are {', '.join(node.name for node in facts.nodes)}",
        )
    return replace(
        facts,
        nodes=tuple(
            node for node in facts.nodes if not names or node.name in names or node.shard in names
        ),
    )


def status(facts: Facts, found: Diagnosis, threshold: Severity | None) -> ExitStatus:
    """Nodes without an answer determine the exit status first; then the findings on the others."""
    failed = [node for node in facts.nodes if node.failure]
    if failed:
        return ExitStatus.UNREACHABLE if len(failed) == len(facts.nodes) else ExitStatus.PARTIAL
    return status_of_findings(found.findings, threshold)


def for_nagios(found: Diagnosis) -> Outcome:
    """One line, and the exit status of a monitoring plugin: 0 ok, 1 warning, 2 critical, 3
    unknown.
    """
    number, word = NAGIOS[max((each.severity for each in found.findings), default=Severity.OK)]
    bad = [f"{node.node} {node.code}" for node in found.nodes if node.code]
    shown = {node.code for node in found.nodes}
    bad += [f"cluster {each.code}" for each in found.cluster if each.code not in shown]
    text = "; ".join(bad) or f"{len(found.nodes)} nodes healthy"
    return Outcome(f"CEPHFS {word}: {text}\n", number)
