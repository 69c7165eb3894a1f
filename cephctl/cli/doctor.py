"""cephctl node doctor"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

from cephctl.cli.app import App
from cephctl.cli.options import status_of_findings
from cephctl.config import Node
from cephctl.doctor.check import Check
from cephctl.doctor.gather import PROBE_SECONDS, Facts, gather, load, save
from cephctl.doctor.verdict import Diagnosis, examine, load_checks
from cephctl.doctor.view import NodeFacts
from cephctl.errors import ExitStatus, UsageError, status_of_failures
from cephctl.results import Column, Kind, Outcome, Record, Severity, Table
from cephctl.site import site_of

NAGIOS = {
    Severity.OK: (0, "OK"),
    Severity.WARN: (1, "WARNING"),
    Severity.ERR: (2, "CRITICAL"),
    Severity.UNKNOWN: (3, "UNKNOWN"),
}


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


def listing() -> Table[Record]:
    return Table(
        CheckRow,
        tuple(CheckRow(each.code, each.severity, each.title) for each in load_checks().values()),
    )


def explanation(code: str) -> str:
    """What a check's docstring says, and its remedy."""
    each = known(code)
    remedy = f"\nRemedy: {each.remedy}\n" if each.remedy else ""
    return f"{each.code}: {each.title}\n\n{each.explanation}\n{remedy}"


def known(code: str) -> Check:
    import difflib

    checks = load_checks()
    if code.upper() in checks:
        return checks[code.upper()]
    near = difflib.get_close_matches(code.upper(), checks, n=3)
    raise UsageError(
        f"there is no check {code}",
        f"did you mean {', '.join(near)}?" if near else "'cephctl node doctor --list' shows them",
    )


def run(
    app: App,
    nodes: Sequence[Node],
    *,
    watch: float | None,
    nagios: bool,
    fail_on: str,
    **options: Any,
) -> Any:
    look = partial(look_once, app, nodes, **options)
    if watch:
        return watching(app, look, watch)
    facts, found = look()
    if nagios:
        return for_nagios(found)
    return Outcome(found, status(facts, found, fail_on))


def selected(facts: Facts, names: Sequence[str]) -> Facts:
    """The nodes of a file that were named, by name or shard; all of them without names."""
    known = {name for node in facts.nodes for name in (node.name, node.shard)}
    if unknown := [name for name in names if name not in known]:
        raise UsageError(
            f"there is no node {unknown[0]} in the file",
            f"there are: {', '.join(node.name for node in facts.nodes)}",
        )
    return replace(
        facts,
        nodes=tuple(
            node for node in facts.nodes if not names or node.name in names or node.shard in names
        ),
    )


def look_once(
    app: App,
    nodes: Sequence[Node],
    *,
    names: Sequence[str],
    only: Sequence[str],
    skip: Sequence[str],
    save: str | None,
    source: str | None,
    no_probe: bool,
    **_: Any,
) -> tuple[Facts, Diagnosis]:
    codes = [[known(code).code for code in each] for each in (only, skip)]
    facts = (
        selected(load(source), names)
        if source
        else asked(app, nodes, None if no_probe else PROBE_SECONDS)
    )
    if save:
        keep(facts, save)
    return facts, examine(facts.nodes, facts.cluster, facts.site, *codes)


keep = save


def asked(
    app: App, nodes: Sequence[Node], probe: float | None, sessions: bool = True, **more: Any
) -> Facts:
    """The facts of nodes and cluster, gathered now."""
    from cephctl.doctor.cluster_facts import read_facts

    site = site_of(app.config)
    question = partial(read_facts, site.entity, sessions)
    return gather(nodes, site, app.ask(question), app.config["ssh.timeout"], probe, **more)


def nodes_facts(app: App, nodes: Sequence[Node]) -> Sequence[NodeFacts]:
    """The nodes' own facts, without their mounts being touched and without the cluster's side."""
    return gather(nodes, site_of(app.config), iter(()), app.config["ssh.timeout"], None).nodes


def status(facts: Facts, found: Diagnosis, fail_on: str) -> ExitStatus:
    """Nodes that could not be asked are the exit status' business first; then what was found on the others."""
    failed = [node for node in facts.nodes if node.failure]
    return status_of_failures(len(failed), len(facts.nodes)) or status_of_findings(
        found.findings, fail_on
    )


def watching(app: App, look: Callable[[], tuple[Facts, Diagnosis]], seconds: float) -> None:
    """Show the picture again and again; Ctrl-C ends it."""
    import sys

    while True:
        _, found = look()
        if sys.stdout.isatty():
            sys.stdout.write("\x1b[H\x1b[2J")
        app.show(found)
        sys.stdout.flush()
        time.sleep(seconds)


def for_nagios(found: Diagnosis) -> Outcome:
    """One line, and the exit status that monitoring plugins have: 0 ok, 1 warning, 2 critical, 3 unknown."""
    worst = max((each.severity for each in found.findings), default=Severity.OK)
    number, word = NAGIOS[worst]
    bad = [f"{node.node} {node.code}" for node in found.nodes if node.code]
    bad += [
        f"cluster {finding.code}"
        for finding in found.cluster
        if finding.code not in {node.code for node in found.nodes}
    ]
    text = "; ".join(bad) or f"{len(found.nodes)} nodes healthy"
    return Outcome(f"CEPHFS {word}: {text}\n", ExitStatus(number))
