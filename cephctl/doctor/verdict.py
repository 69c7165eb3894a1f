"""Run the checks over the facts, and name for each node the one cause that explains the rest."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from cephctl.doctor.check import Check, Layer, Problem, Scope, load_checks
from cephctl.doctor.facts import NodeFacts
from cephctl.doctor.gather import Facts
from cephctl.doctor.view import View
from cephctl.remedy import ENTITY, MONITOR, NODE, PATH, UNIT, filled, shell
from cephctl.results import Column, Finding, Kind, Record, Severity

UNREADABLE = "FACTS_UNREADABLE"
UNREADABLE_TITLE = "Some facts could not be read"
UNREADABLE_EXPLANATION = """\
A check that cannot read what it needs is UNKNOWN, not OK: no debugfs, no root, an old kernel, no
answer of the cluster. The finding lists each missing section, the reason, and the checks that were
not run.

A check that ends with an internal error is UNKNOWN too, under its own code."""


@dataclass(frozen=True)
class NodeVerdict(Record):
    """One node: the primary cause, its consequences, and warnings.

    `severity` is that of the worst finding; `code`, `summary` and `remedy` are the cause's, or the
    worst warning's.
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

    @property
    def findings(self) -> Iterator[Finding]:
        """All of them, the cause first."""
        yield from (each for each in (self.cause, *self.consequences, *self.warnings) if each)


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
            yield from node.findings


@dataclass(frozen=True)
class Found:
    """A finding with its place in the order of causes."""

    finding: Finding
    layer: Layer

    @property
    def rank(self) -> tuple[int, int]:
        """The worst first, and of those the deepest."""
        return -self.finding.severity, self.layer


def examine(facts: Facts, only: Iterable[str] = (), skip: Iterable[str] = ()) -> Diagnosis:
    """Evaluate the facts. `only` and `skip` are codes of checks."""
    checks = [
        each
        for each in load_checks().values()
        if (not only or each.code in only) and each.code not in skip
    ]
    fleet = tuple(View(node, facts.cluster, facts.site) for node in facts.nodes)
    views = [View(node, facts.cluster, facts.site, fleet) for node in facts.nodes]
    whole = View(NodeFacts("", "", ""), facts.cluster, facts.site, fleet)
    wide = sorted(
        judge(whole, [each for each in checks if each.scope is Scope.CLUSTER]),
        key=lambda found: found.rank,
    )
    narrow = [each for each in checks if each.scope is Scope.NODE]
    shared = [found for found in wide if found.finding.severity is Severity.ERR]
    verdicts = tuple(verdict(view, judge(view, narrow), shared) for view in views)
    return Diagnosis(verdicts, tuple(shards(verdicts)), tuple(found.finding for found in wide))


def judge(view: View, checks: Iterable[Check]) -> Iterator[Found]:
    """What the checks find in one view. Those whose facts are missing make one finding together."""
    missing: dict[str, list[str]] = {}
    for each in checks:
        if view.node.failure and each.layer is not Layer.REACH:
            continue
        lacking = [need for need in each.needs if view.unreadable(need)]
        # Once for the cluster is enough.
        own = [need for need in lacking if not need.startswith("cluster.")]
        for need in lacking if own or each.scope is Scope.CLUSTER else ():
            missing.setdefault(need, []).append(each.code)
        if not lacking:
            yield from run(each, view)
    if missing:
        yield unreadable(view, missing)


def run(each: Check, view: View) -> Iterator[Found]:
    """What one check finds. One that fails is UNKNOWN, and the others go on."""
    try:
        found = [found_by(each, problem, view) for problem in each.judge(view)]
    except Exception as error:  # noqa: BLE001 - whatever a node said that no check expects
        why = f"{type(error).__name__}: {error}"
        finding = Finding(each.code, Severity.UNKNOWN, "the check could not be run", (why,))
        found = [Found(finding, Layer.SYMPTOM)]
    yield from found


def unreadable(view: View, missing: dict[str, list[str]]) -> Found:
    lines = tuple(
        f"{need.replace('cluster.', 'the cluster: ')}: {view.unreadable(need)} ({', '.join(codes)})"
        for need, codes in missing.items()
    )
    count = len({code for codes in missing.values() for code in codes})
    finding = Finding(UNREADABLE, Severity.UNKNOWN, f"{count} checks could not be run", lines)
    return Found(finding, Layer.SYMPTOM)


def found_by(each: Check, problem: Problem, view: View) -> Found:
    commands = filled(problem.remedy or each.remedy, names(view))
    finding = Finding(
        code=problem.code or each.code,
        severity=each.severity if problem.severity is None else problem.severity,
        summary=problem.summary or each.title,
        detail=problem.detail,
        node_says=problem.node,
        cluster_says=problem.cluster,
        remedy=shell(commands, view.site.ssh) or None,
        remedy_host=problem.host,
        commands=commands,
    )
    return Found(finding, each.layer if problem.layer is None else problem.layer)


def names(view: View) -> dict[str, str]:
    """What the words of a remedy stand for. A remedy of the cluster that needs a node is for all of
    them.
    """
    monitors = view.monitors
    return {
        NODE: view.node.name or "--all",
        PATH: view.site.path,
        UNIT: view.unit.name,
        ENTITY: view.site.entity,
        MONITOR: monitors[0].host if monitors else MONITOR,
    }


def prevents_mount(finding: Finding) -> bool:
    """Whether the next mount would fail with it."""
    each = load_checks().get(finding.code)
    return each is not None and each.prevents_mount


def blocks_rotation(finding: Finding) -> bool:
    """Whether a rotation must not begin with it: an error, what is not known, or a warning that
    would become an error.
    """
    each = load_checks().get(finding.code)
    return finding.severity in (Severity.ERR, Severity.UNKNOWN) or (
        each is not None and each.blocks_rotation
    )


def verdict(view: View, own: Iterable[Found], shared: Iterable[Found]) -> NodeVerdict:
    """The primary cause is the deepest of the worst; with a node that cannot be asked nothing else
    counts.
    """
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
