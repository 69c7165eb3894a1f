"""One run from its beginning to its end, forward or back: lock, steps, record, and what is left when it is over."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from cephctl.ceph.keys import Entity, entity_of
from cephctl.ceph.lock import RunLock
from cephctl.cephconf import MalformedFile
from cephctl.cephx import keyring_text, new_key, parse_keyring
from cephctl.errors import CephctlError, Interrupted
from cephctl.results import Column, Kind, Record
from cephctl.rotation.environment import LiveEnvironment, Session
from cephctl.rotation.record import Note, Plan, Recorder
from cephctl.rotation.steps import Stalled, carry_out
from cephctl.rotation.strategies import BACK, FORWARD, Rotation

ENDS = {FORWARD: "finished", BACK: "rolled back"}
Listen = Callable[[Note], None]


@dataclass(frozen=True)
class NodeRotation(Record):
    """What became of one node. `gap_ms` is the longest time in which its path was not there; `session` its MDS session's id."""

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
        Column("seconds", "TOOK", Kind.DURATION),
    )


@dataclass(frozen=True)
class Report(Record):
    """What a run came to. `proof` counts the sessions at the end."""

    run: str
    state: str
    strategy: str
    entity: str
    old_key: str
    new_key: str | None
    seconds: float
    proof: str
    evicted: tuple[str, ...]
    skipped: tuple[str, ...]
    nodes: tuple[NodeRotation, ...]

    columns = (
        Column("run", "RUN"),
        Column("state", "STATE"),
        Column("strategy", "STRATEGY"),
        Column("entity", "ENTITY"),
        Column("old_key", "OLD KEY"),
        Column("new_key", "NEW KEY"),
        Column("seconds", "TOOK", Kind.DURATION),
        Column("proof", "PROOF"),
        Column("evicted", "EVICTED"),
        Column("skipped", "SKIPPED"),
    )
    sections = (("nodes", NodeRotation),)


def lease_of(plan: Plan, host: str, direction: str) -> RunLock:
    """Its note holds plan and direction, so that a run whose machine is lost can be taken over; no key is in it."""
    told: dict[str, Any] = {
        "run": plan.run,
        "host": host,
        "operator": plan.operator,
        "began": plan.began,
    }
    told |= {"direction": direction, "plan": dataclasses.asdict(plan)}
    return RunLock(plan.lock, f"{plan.run}@{host}", json.dumps(told))


def plan_in(told: Mapping[str, Any]) -> Plan:
    """The plan of a run, from what its lock tells."""
    try:
        return Plan(**told["plan"] | {"nodes": tuple(told["plan"]["nodes"])})
    except (KeyError, TypeError):
        raise CephctlError(
            "the lock's note holds no plan of a run that this version of cephctl can go on with"
        ) from None


def keep_old_key(recorder: Recorder, plan: Plan, entity: Entity | None) -> None:
    """As a keyring, so that hands can put it back as well: `ceph auth import -i`. As long as the cluster has it, it can be kept."""
    if recorder.kept_key() is None and entity and entity.fingerprint == plan.old["fingerprint"]:
        recorder.keep_key(keyring_text(plan.entity, entity.key, plan.caps))


def old_key(recorder: Recorder, plan: Plan) -> Entity | None:
    kept = recorder.kept_key()
    try:
        found = parse_keyring(kept or b"").get(plan.entity)
    except MalformedFile as error:
        raise CephctlError(f"{recorder.keyring} is damaged: {error}") from None
    if found is None or found.key.fingerprint != plan.old["fingerprint"]:
        return None
    key = new_key(found.key.type, found.key.created.timestamp(), found.key.secret)
    return entity_of({"entity": plan.entity, "caps": plan.caps, "key": key})


def direction_of(notes: Sequence[Note]) -> str:
    """The way a run was last on."""
    ways = [note.detail for note in notes if note.step == "run" and note.what == "began"]
    return ways[-1] if ways else FORWARD


@dataclass(frozen=True)
class Run:
    """A run at work. `listen` hears every note right after it is on disk."""

    recorder: Recorder
    plan: Plan
    world: LiveEnvironment
    listen: Listen

    def note(self, step: str, what: str, detail: Any = None) -> None:
        note = Note(time.time(), step, what, detail)
        self.recorder.note(note)
        self.listen(note)

    def go(self, direction: str) -> Report:
        """All the way, from wherever it is. Raises Stalled or Interrupted, which are in the record by then."""
        plan = self.plan
        with self.recorder.alone():
            self.note("run", "began", direction)
            try:
                self.world.take_lock()
                keep_old_key(self.recorder, plan, self.world.entity(plan.entity))
                carry_out(self.rotation(direction).steps(), self.note, self.world.wait)
                sessions = self.world.sessions()
                entity = self.world.entity(final_entity(plan, direction))
                destroyed = self.recorder.destroy_key()
            except (KeyboardInterrupt, Interrupted):
                self.note("run", "interrupted")
                raise Interrupted(f"run {plan.run} was interrupted", hint(plan)) from None
            except CephctlError as error:
                with contextlib.suppress(CephctlError):
                    self.note("run", "stalled", error.message)
                more = "\n".join(filter(None, [error.hint, hint(plan)]))
                raise Stalled(f"run {plan.run} stalled: {error.message}", more) from None
            self.note("run", ENDS[direction], {"old key destroyed": destroyed})
        self.world.give_lock_back()
        return report(plan, self.recorder.notes, sessions, entity)

    def rotation(self, direction: str) -> Rotation:
        """With what only the record knows: the old key, and which sessions there were when the key was changed."""
        before = {
            instance
            for note in self.recorder.notes
            if note.what == "before"
            for instance in note.detail
        }

        def remember(instances: list[str]) -> None:
            self.note("sessions", "before", instances)
            before.update(instances)

        return Rotation(
            self.plan,
            self.world,
            direction,
            partial(old_key, self.recorder, self.plan),
            lambda: before,
            remember,
        )


def hint(plan: Plan) -> str:
    return f"go on:    cephctl run resume {plan.run}\ngo back:  cephctl run rollback {plan.run}"


def final_entity(plan: Plan, direction: str) -> str:
    return plan.other if plan.strategy == "alternate" and direction == FORWARD else plan.entity


def report(
    plan: Plan, notes: Sequence[Note], sessions: Sequence[Session], entity: Entity | None
) -> Report:
    """What the record and the last look at the cluster say."""
    state = next((note.what for note in reversed(notes) if note.step == "run"), "?")
    name = entity.name if entity else plan.entity
    using = [session for session in sessions if session.entity == name]
    others = [
        session
        for session in sessions
        if session.entity in (plan.entity, plan.other) and session.entity != name
    ]
    begun = next(note.at for note in reversed(notes) if note.step == "run" and note.what == "began")
    evicted = tuple(
        line
        for note in notes
        if note.what == "done" and isinstance(note.detail, dict)
        for line in note.detail.get("evicted", ())
    )
    return Report(
        run=plan.run,
        state=state,
        strategy=plan.strategy,
        entity=name,
        old_key=plan.old["fingerprint"],
        new_key=entity.fingerprint if entity else None,
        seconds=round(notes[-1].at - begun, 1),
        proof=f"{len(using)} sessions of {name}, {len(others)} of another key",
        evicted=evicted,
        skipped=tuple(f"{node}: {reason}" for node, reason in plan.skipped.items()),
        nodes=tuple(node_reports(plan, notes, using)),
    )


def node_reports(
    plan: Plan, notes: Sequence[Note], sessions: Sequence[Session]
) -> Iterator[NodeRotation]:
    for node in plan.nodes:
        done = [
            note.detail
            for note in notes
            if note.step.endswith(f":{node}") and note.what == "done" and note.detail
        ]
        session = next((each for each in sessions if each.node == node), None)
        gaps = [detail["gap_ms"] for detail in done if detail.get("gap_ms") is not None]
        yield NodeRotation(
            node=node,
            state="rotated" if session else "unknown",
            entity=session.entity if session else None,
            instance=session.instance if session else None,
            session=session.id if session else None,
            switches=len(done),
            gap_ms=max(gaps, default=None),
            seconds=round(sum(detail["seconds"] for detail in done), 1),
        )
