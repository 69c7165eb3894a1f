"""The result of a run: what its journal and the last look at the cluster say."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from cephctl.ceph.keys import Entity
from cephctl.cluster.sessions import MdsSession
from cephctl.results import Column, Kind, Record
from cephctl.rotation.journal import Entry, Event, RunState
from cephctl.rotation.plan import Plan
from cephctl.rotation.steps import StepKind

SWITCHES = (StepKind.AWAY, StepKind.BACK, StepKind.TO)


@dataclass(frozen=True)
class NodeRotation(Record):
    """What became of one node. `gap_ms` is the longest time in which its path was not there;
    `session` its MDS session's id.
    """

    node: str
    state: str
    entity: str | None
    instance: str | None
    session: int | None
    switches: int
    gap_ms: float | None
    seconds: float

    columns = (
        Column("node", "NODE"),
        Column("state", "STATE"),
        Column("entity", "ENTITY"),
        Column("instance", "CLIENT"),
        Column("session", "SESSION"),
        Column("switches", "SWITCHES", Kind.COUNT),
        Column("gap_ms", "GAP MS", Kind.COUNT),
        Column("seconds", "DURATION", Kind.DURATION),
    )


@dataclass(frozen=True)
class Report(Record):
    """The result of a run. `sessions` counts those of the entity at the end, `other_sessions` those
    of another key.

    `old_key_destroyed` is the file that kept the old key, None where there was none; `next` are the
    next commands.
    """

    run: str
    state: str
    strategy: str
    entity: str
    old_key: str
    new_key: str | None
    seconds: float
    sessions: int
    other_sessions: int
    evicted: tuple[str, ...]
    skipped: tuple[str, ...]
    old_key_destroyed: str | None
    next: tuple[str, ...]
    nodes: tuple[NodeRotation, ...]

    columns = (
        Column("run", "RUN"),
        Column("state", "STATE"),
        Column("strategy", "STRATEGY"),
        Column("entity", "ENTITY"),
        Column("old_key", "OLD KEY"),
        Column("new_key", "NEW KEY"),
        Column("seconds", "DURATION", Kind.DURATION),
        Column("sessions", "SESSIONS"),
        Column("other_sessions", "OTHER SESSIONS"),
        Column("evicted", "EVICTED"),
        Column("skipped", "SKIPPED"),
        Column("old_key_destroyed", "OLD KEY DESTROYED"),
        Column("next", "NEXT"),
    )
    sections = (("nodes", NodeRotation),)


def report(
    plan: Plan,
    state: RunState,
    entries: Sequence[Entry],
    sessions: Sequence[MdsSession],
    entity: Entity | None,
    destroyed: str | None,
) -> Report:
    name = entity.name if entity else plan.entity
    using = [session for session in sessions if session.entity == name]
    both = [session for session in sessions if session.entity in (plan.entity, plan.other)]
    begun = next(entry.at for entry in reversed(entries) if entry.event is Event.BEGAN)
    return Report(
        run=plan.run,
        state=state,
        strategy=plan.strategy,
        entity=name,
        old_key=plan.old.fingerprint,
        new_key=entity.fingerprint if entity else None,
        seconds=round(entries[-1].at - begun, 1),
        sessions=len(using),
        other_sessions=len([session for session in both if session.entity != name]),
        evicted=tuple(line for entry in entries for line in entry.evicted),
        skipped=tuple(f"{node}: {reason}" for node, reason in plan.skipped.items()),
        old_key_destroyed=destroyed,
        next=tuple(advice(plan, name)),
        nodes=tuple(node_reports(plan, entries, using)),
    )


def advice(plan: Plan, entity: str) -> Iterator[str]:
    """What is left to do for the operator."""
    if entity != plan.entity:
        yield f'set entity = "{entity}" of [mount] in cephctl.toml, and in your templates'
    for node in plan.skipped:
        yield f"when {node} is back: cephctl node push {node}"


def node_reports(
    plan: Plan, entries: Sequence[Entry], sessions: Sequence[MdsSession]
) -> Iterator[NodeRotation]:
    for node in plan.nodes:
        done = [
            entry
            for entry in entries
            if entry.kind in SWITCHES and entry.subject == node and entry.event is Event.DONE
        ]
        session = next((each for each in sessions if each.node == node), None)
        gaps = [entry.gap_ms for entry in done if entry.gap_ms is not None]
        yield NodeRotation(
            node=node,
            state="rotated" if session else "unknown",
            entity=session.entity if session else None,
            instance=session.address if session else None,
            session=session.id if session else None,
            switches=len(done),
            gap_ms=max(gaps, default=None),
            seconds=round(sum(entry.seconds or 0 for entry in done), 1),
        )
