"""Run the checks over the facts, and name for each node the one cause that the rest follows from."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cephctl.doctor.check import CHECKS, Check, Layer, Problem
from cephctl.doctor.view import NodeFacts, View
from cephctl.results import Column, Finding, Kind, Record, Severity
from cephctl.site import Site

# The modules that declare checks, in the order of --list and of the man page.
MODULES = ("reach", "network", "auth", "secret", "session", "cluster", "mount", "unit", "fleet")


@dataclass(frozen=True)
class NodeVerdict(Record):
    """One node: the primary cause, what follows from it, and what else is not as it should be.

    `severity` is that of the worst finding; `code`, `summary` and `remedy` are the cause's, or the worst warning's.
    """

    node: str
    shard: str
    severity: Severity
    code: str | None
    summary: str
    remedy: str | None
    cause: Finding | None
    consequences: tuple[Finding, ...]
    warnings: tuple[Finding, ...]

    columns = (
        Column("node", "NODE"),
        Column("shard", "SHARD"),
        Column("severity", "STATE", Kind.SEVERITY),
        Column("code", "CAUSE"),
        Column("summary", "SUMMARY"),
    )
    sections = (("cause", Finding), ("consequences", Finding), ("warnings", Finding))


@dataclass(frozen=True)
class ShardVerdict(Record):
    """A shard: how many of its nodes are healthy, and the causes of the others."""

    shard: str
    severity: Severity
    nodes: int
    healthy: int
    causes: tuple[str, ...]

    columns = (
        Column("shard", "SHARD"),
        Column("severity", "STATE", Kind.SEVERITY),
        Column("nodes", "NODES", Kind.COUNT),
        Column("healthy", "HEALTHY", Kind.COUNT),
        Column("causes", "CAUSES"),
    )


@dataclass(frozen=True)
class Diagnosis(Record):
    """What `node doctor` found: per node, per shard, and of the cluster itself."""

    nodes: tuple[NodeVerdict, ...]
    shards: tuple[ShardVerdict, ...]
    cluster: tuple[Finding, ...]

    sections = (("nodes", NodeVerdict), ("shards", ShardVerdict), ("cluster", Finding))

    @property
    def findings(self) -> Iterator[Finding]:
        yield from self.cluster
        for node in self.nodes:
            yield from (each for each in (node.cause, *node.consequences, *node.warnings) if each)


@dataclass(frozen=True)
class Found:
    """A finding with its place in the order of causes."""

    finding: Finding
    depth: Layer

    @property
    def rank(self) -> tuple[int, int]:
        """The worst first, and of those the deepest."""
        return -self.finding.severity, self.depth


def load_checks() -> Mapping[str, Check]:
    """All checks in the order of MODULES and of their lines, whoever imported them first: of equals the earlier is the cause."""
    for name in MODULES:
        importlib.import_module(f"cephctl.doctor.checks.{name}")
    return dict(sorted(CHECKS.items(), key=lambda item: place(item[1])))


def place(each: Check) -> tuple[int, int]:
    return MODULES.index(each.judge.__module__.rpartition(".")[2]), inspect.unwrap(
        each.judge
    ).__code__.co_firstlineno


def examine(
    nodes: Sequence[NodeFacts],
    cluster: Mapping[str, Any],
    site: Site,
    only: Iterable[str] = (),
    skip: Iterable[str] = (),
) -> Diagnosis:
    """Judge the facts. `only` and `skip` are codes of checks."""
    chosen = [
        each
        for each in load_checks().values()
        if (not only or each.code in only) and each.code not in skip
    ]
    views = [View(node, cluster, site) for node in nodes]
    whole = View(None, cluster, site)
    for view in (*views, whole):
        view.fleet = views
    wide = sorted(
        judge(whole, [each for each in chosen if each.wide]), key=lambda found: found.rank
    )
    narrow = [each for each in chosen if not each.wide]
    shared = [found for found in wide if found.finding.severity is Severity.ERR]
    verdicts = tuple(verdict(view, judge(view, narrow), shared) for view in views)
    return Diagnosis(verdicts, tuple(shards(verdicts)), tuple(found.finding for found in wide))


def judge(view: View, checks: Iterable[Check]) -> Iterator[Found]:
    """What the checks find in one view. Those whose facts are missing make one finding together, of what is not known."""
    missing: dict[str, list[str]] = {}
    for each in checks:
        if view.node.failure and each.depth is not Layer.REACH:
            continue
        lacking = [need for need in each.needs if view.unreadable(need)]
        # Once for the cluster is enough.
        if lacking and (each.wide or any(not need.startswith("cluster.") for need in lacking)):
            for need in lacking:
                missing.setdefault(need, []).append(each.code)
        if not lacking:
            yield from (found(each, trouble, view) for trouble in each.judge(view))
    if missing:
        lines = tuple(
            f"{need.replace('cluster.', 'the cluster: ')}: {view.unreadable(need)} ({', '.join(codes)})"
            for need, codes in missing.items()
        )
        count = len({code for codes in missing.values() for code in codes})
        yield Found(
            Finding(
                "FACTS_UNREADABLE", Severity.UNKNOWN, f"{count} checks could not be made", lines
            ),
            Layer.SYMPTOM,
        )


def found(each: Check, trouble: Problem, view: View) -> Found:
    severity = trouble.severity if trouble.severity is not None else each.severity
    remedy = trouble.remedy or each.remedy
    finding = Finding(
        each.code,
        severity,
        trouble.summary or each.title,
        trouble.detail,
        trouble.node,
        trouble.cluster,
        filled(remedy, view) if remedy else None,
        trouble.host,
    )
    return Found(finding, trouble.depth if trouble.depth is not None else each.depth)


def filled(remedy: str, view: View) -> str | None:
    """A command with the names in their places. A wide remedy that wants a node is for all of them."""
    monitors = [host for _, host, _ in view.monitors]
    values = {
        "node": view.node.name or "--all",
        "path": view.site.path,
        "unit": view.unit_name,
        "ssh": view.site.ssh(view.node.name),
        "mon": monitors[0] if monitors else "MONITOR",
    }
    for name, value in values.items():
        remedy = remedy.replace(f"{{{name}}}", value)
    return remedy


def verdict(view: View, own: Iterable[Found], shared: Iterable[Found]) -> NodeVerdict:
    """The primary cause is the deepest of the worst; with a node that cannot be asked nothing else counts."""
    findings = sorted([*own, *(() if view.node.failure else shared)], key=lambda found: found.rank)
    errors = [found.finding for found in findings if found.finding.severity is Severity.ERR]
    warnings = tuple(
        found.finding for found in findings if found.finding.severity is not Severity.ERR
    )
    cause = errors[0] if errors else None
    head = cause or (warnings[0] if warnings else None)
    return NodeVerdict(
        node=view.node.name,
        shard=view.node.shard,
        severity=head.severity if head else Severity.OK,
        code=head.code if head else None,
        summary=head.summary if head else "healthy",
        remedy=head.remedy if head else None,
        cause=cause,
        consequences=tuple(errors[1:]),
        warnings=warnings,
    )


def shards(verdicts: Sequence[NodeVerdict]) -> Iterator[ShardVerdict]:
    for name in dict.fromkeys(each.shard for each in verdicts):
        members = [each for each in verdicts if each.shard == name]
        healthy = sum(each.cause is None for each in members)
        causes = tuple(dict.fromkeys(each.code for each in members if each.cause and each.code))
        yield ShardVerdict(
            name, max(each.severity for each in members), len(members), healthy, causes
        )
