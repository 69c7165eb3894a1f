"""cephctl keys rotate, and what goes on with a run: resume, rollback"""

from __future__ import annotations

import getpass
import os
import socket
import statistics
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from cephctl.ceph.commands import fsid_of
from cephctl.ceph.keys import Entity
from cephctl.ceph.lock import LockHeld, RunLock, check_free
from cephctl.cli.app import App
from cephctl.cli.progress import Progress
from cephctl.config import Node
from cephctl.doctor.cluster_facts import ClusterFacts
from cephctl.doctor.gather import Looks, gather
from cephctl.doctor.verdict import examine
from cephctl.errors import CephctlError, ExitStatus, Refused, UsageError
from cephctl.parse import Unreadable
from cephctl.results import Column, Kind, Outcome, Record, Table
from cephctl.rotation.environment import LiveEnvironment
from cephctl.rotation.preflight import Observed, Request, misused, refusals, type_of_key, warnings
from cephctl.rotation.record import (
    ENDED,
    Note,
    Plan,
    Recorder,
    new_run,
    recorders,
    state_of,
    without,
)
from cephctl.rotation.run import Run, lease_of, plan_in
from cephctl.rotation.strategies import FORWARD, Rotation, described, other_name

# Seconds that a step takes, where no earlier run tells.
GUESSES = {"away": 30.0, "back": 30.0, "to": 30.0, "files": 5.0}


@dataclass(frozen=True)
class PlannedStep(Record):
    """One step of the plan; `seconds` is what it took in earlier runs here, or a guess."""

    step: str
    text: str
    seconds: float

    columns = (Column("text", "STEP"), Column("seconds", "ABOUT", Kind.DURATION))


def rotate(app: App, request: Request, break_lock: bool) -> Outcome:
    """Look, refuse what is unsafe, show, ask, and go."""
    config = app.config
    if trouble := misused(request, config["mount.entity"], config["ceph.name"]):
        raise trouble
    nodes = chosen(app, request.skipped)
    other = other_name(request.entity, request.strategy)
    if told := unfinished(app, request.entity, break_lock):
        return taken_over(app, told)
    seen = look(app, request.entity, other, nodes)
    if refused := tuple(refusals(request, other, nodes, seen)):
        return Outcome(
            None, refused[0].status if len(refused) == 1 else ExitStatus.REFUSED, refused
        )
    assert seen.entity
    return proposed(app, request, plan_of(request, other, nodes, seen, seen.entity), seen)


def proposed(app: App, request: Request, plan: Plan, seen: Observed) -> Outcome:
    """Show what would be done, ask, and begin."""
    assert seen.entity
    shown = planned(app, plan, FORWARD)
    notes = tuple(warnings(request, bool(app.deps.haproxy)))
    if request.compromised:
        notes += tuple(
            f"will be evicted: {described(each)}"
            for each in seen.sessions
            if each.entity == request.entity
        )
    if app.dry_run:
        return Outcome(shown, notes=notes)
    for note in notes:
        app.warn(note)
    if not app.yes:
        app.confirm(shown, f"Rotate the key of {request.entity} on {len(plan.nodes)} nodes?")
    return begin(app, plan, seen.entity)


def chosen(app: App, skipped: Mapping[str, str]) -> list[Node]:
    app.config.check_nodes(skipped)
    nodes = [node for node in app.config.nodes if node.name not in skipped]
    if not nodes:
        raise UsageError(
            "there are no nodes left to rotate on",
            "add each to cephctl.toml: [nodes.NAME] with address and shard",
        )
    return nodes


def check_no_run(app: App, entity: str) -> None:
    """An unfinished run of this machine is to be ended first, one way or the other."""
    for recorder in recorders(app.config["runs.directory"]):
        plan, notes = recorder.read()
        state = state_of(recorder, notes)
        if plan.entity == entity and state not in ENDED:
            hint = (
                f"cephctl run show {plan.run}"
                if state == "running"
                else f"cephctl run resume {plan.run}, or run rollback"
            )
            raise Refused(
                f"run {plan.run} of {plan.operator}@{plan.host}, begun {plan.began}, is {state}",
                hint,
            )


def unfinished(app: App, entity: str, break_lock: bool) -> Mapping[str, Any] | None:
    """The run that is to be taken over, if that was said. Refused when there is one and nothing was said, or when it is alive."""
    if not break_lock:
        check_no_run(app, entity)
    told = left_by_others(app, entity)
    if told is not None and not break_lock:
        raise LockHeld(f"run.{entity}", told, alive=False)
    if told is None:
        check_no_run(app, entity)
    return told


def left_by_others(app: App, entity: str) -> Mapping[str, Any] | None:
    """What the lock tells of a run that fell silent without an end; LockHeld when one is alive. A run of this machine that has ended and
    could not give its lock back does so now.
    """
    identity = RunLock(f"run.{entity}", f"{os.getpid()}@{socket.gethostname()}", "{}")
    [told] = app.ask(partial(check_free, identity))
    if told is None or told.get("host") != socket.gethostname():
        return told  # type: ignore[no-any-return]  # it came through a pipe
    recorder = Recorder(app.config["runs.directory"], str(told.get("run")))
    if recorder.exists and state_of(recorder, recorder.notes) in ENDED:
        world(app, lease_of(recorder.plan, socket.gethostname(), FORWARD)).give_lock_back()
        return None
    return told  # type: ignore[no-any-return]


def taken_over(app: App, told: Mapping[str, Any]) -> Outcome:
    """Go on with the run of a machine that is lost, the way it was on. Its old key was there; here it is kept only if it is not changed yet."""
    plan, direction = plan_in(told), str(told.get("direction", FORWARD))
    recorder = Recorder(app.config["runs.directory"], plan.run)
    app.warn(f"taking over run {plan.run} of {plan.operator}@{plan.host}, begun {plan.began}")
    check_fits(app, plan)
    if app.dry_run:
        return Outcome(planned(app, plan, direction))
    if not app.yes:
        app.confirm(
            planned(app, plan, direction),
            "Is that machine lost for good, and this to be done from here?",
        )
    world(app, lease_of(plan, socket.gethostname(), direction)).take_lock(take_over=True)
    if not recorder.exists:
        recorder.create(plan)
    return go(app, recorder, plan, direction)


def look(app: App, entity: str, other: str, nodes: Sequence[Node]) -> Observed:
    """Both sides, as the doctor sees them, and what only a rotation asks."""
    facts = gather(app.deps, nodes, Looks(holders=True))
    found = examine(facts)
    platform = world(app, None)
    answering = [node.name for node in facts.nodes if not node.failure]
    looks = platform.looks(answering)
    away = {
        name: platform.not_in_service(name) or platform.out_of_service(name) for name in answering
    }
    sessions = [] if facts.cluster.failure else platform.sessions()
    return Observed(
        facts, found, platform.entity(entity), platform.entity(other), sessions, looks, away
    )


def fsid(cluster: ClusterFacts) -> str:
    assert not isinstance(cluster.monmap, Unreadable)
    return cluster.monmap.fsid


def plan_of(
    request: Request, other: str, nodes: Sequence[Node], seen: Observed, entity: Entity
) -> Plan:
    now = time.time()
    return Plan(
        run=new_run(now),
        began=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        operator=operator(),
        host=socket.gethostname(),
        cluster=fsid(seen.facts.cluster),
        strategy=request.strategy,
        entity=request.entity,
        other=other,
        caps=dict(entity.caps),
        old={"fingerprint": entity.fingerprint, "type": entity.type, "created": entity.created},
        key_type=type_of_key(request, seen.facts, seen.looks),
        compromised=request.compromised,
        nodes=tuple(node.name for node in nodes),
        skipped=dict(request.skipped),
    )


def world(app: App, lease: RunLock | None) -> LiveEnvironment:
    return LiveEnvironment(app.deps, lease)


def operator() -> str:
    """Who is at it, for others to read."""
    try:
        return os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())


def planned(app: App, plan: Plan, direction: str) -> Table[Record]:
    """What is left to do, with the times that earlier runs took."""
    steps = Rotation(plan, world(app, None), direction, lambda: None).steps()
    took = dict(times(app))
    rows = []
    for step in steps:
        kind = step.id.partition(":")[0]
        rows.append(
            PlannedStep(step.id, step.text, round(took.get(kind, GUESSES.get(kind, 1.0)), 1))
        )
    return Table(PlannedStep, tuple(rows))


def times(app: App) -> Iterator[tuple[str, float]]:
    """Kind of step, and the median of what it took on this machine."""
    seconds: dict[str, list[float]] = {}
    for recorder in recorders(app.config["runs.directory"]):
        for note in recorder.notes:
            if note.what == "done" and isinstance(note.detail, dict):
                seconds.setdefault(note.step.partition(":")[0], []).append(note.detail["seconds"])
    for kind, values in seconds.items():
        yield kind, statistics.median(values)


def begin(app: App, plan: Plan, entity: Entity) -> Outcome:
    """On disk first, then the lock, then the world; which may have changed while somebody thought about the question."""
    recorder = Recorder(app.config["runs.directory"], plan.run)
    recorder.create(plan)
    platform = world(app, lease_of(plan, socket.gethostname(), FORWARD))
    try:
        platform.take_lock()
        now, other = platform.entity(plan.entity), platform.entity(plan.other)
        if now != entity or (other and plan.strategy != "in-place"):
            platform.give_lock_back()
            raise Refused(
                f"{plan.entity} was changed by somebody else meanwhile",
                "look again: cephctl keys show",
            )
    except CephctlError:
        Run(recorder, plan, platform, lambda note: None).note(
            "run", "aborted", "it could not begin"
        )
        raise
    return go(app, recorder, plan, FORWARD)


def go(app: App, recorder: Recorder, plan: Plan, direction: str) -> Outcome:
    platform = world(app, lease_of(plan, socket.gethostname(), direction))
    with Progress(app, plan, direction) as progress:
        report = Run(recorder, plan, platform, progress.hear).go(direction)
    kept = recorder.notes[-1].detail["old key destroyed"]
    notes = [f"the old key, kept in {recorder.keyring} until now, is destroyed"] if kept else []
    if report.entity != plan.entity:
        notes.append(
            f"the nodes mount as {report.entity} now: set 'entity' of [mount] in cephctl.toml, and in your templates"
        )
    notes += [
        f"when {each.partition(':')[0]} is back: cephctl node push {each.partition(':')[0]}"
        for each in report.skipped
    ]
    return Outcome(report, notes=tuple(notes))


def again(app: App, recorder: Recorder, direction: str, skipped: Mapping[str, str]) -> Outcome:
    """Go on with a run of this machine, forward or back."""
    plan, notes = recorder.read()
    state = state_of(recorder, notes)
    if state in ENDED:
        raise Refused(f"run {plan.run} is {state}; there is nothing to go on with")
    if state == "running":
        raise Refused(f"run {plan.run} is at work", f"cephctl run show {plan.run}")
    check_fits(app, plan)
    if strange := [node for node in skipped if node not in plan.nodes]:
        raise UsageError(
            f"{strange[0]} is no node of run {plan.run}", f"its nodes are {', '.join(plan.nodes)}"
        )
    plan = without(plan, [Note(time.time(), "run", "skipped", dict(skipped))])
    if app.dry_run:
        return Outcome(planned(app, plan, direction))
    if not app.yes:
        app.confirm(
            planned(app, plan, direction),
            f"Go {'on' if direction == FORWARD else 'back'} with run {plan.run}?",
        )
    if skipped:
        recorder.note(Note(time.time(), "run", "skipped", dict(skipped)))
    return go(app, recorder, plan, direction)


def check_fits(app: App, plan: Plan) -> None:
    """A run goes on against the cluster and the nodes that it was begun with."""
    [fsid] = app.ask(fsid_of)
    if fsid != plan.cluster:
        raise Refused(
            f"run {plan.run} is of cluster {plan.cluster}, and this is {fsid}",
            "see --cluster, --conf, --config",
        )
    known = {node.name for node in app.config.nodes}
    if gone := [node for node in plan.nodes if node not in known]:
        raise Refused(
            f"run {plan.run} has node {gone[0]}, which is no longer in the inventory",
            "put it back, for as long as the run lasts",
        )


def give_up(app: App, recorder: Recorder, force: bool) -> Outcome:
    """End a run where it is. Refused while something is half-way, for then it is to be resumed or rolled back."""
    plan, notes = recorder.read()
    state = state_of(recorder, notes)
    if state in (*ENDED, "running"):
        raise Refused(f"run {plan.run} is {state}; there is nothing to give up")
    platform = world(app, lease_of(plan, socket.gethostname(), FORWARD))
    left = [] if force else half_done(world(app, None), plan)
    if left:
        raise Refused(
            f"run {plan.run} is half-way: {'; '.join(left)}",
            f"cephctl run resume {plan.run}, or run rollback; --force leaves it so",
        )
    journey = Run(recorder, plan, platform, lambda note: None)
    with recorder.alone():
        recorder.destroy_key()
        journey.note("run", "aborted", "forced" if force else None)
    platform.give_lock_back()
    return Outcome(None, notes=(f"run {plan.run} is given up",))


def half_done(platform: LiveEnvironment, plan: Plan) -> list[str]:
    """What a run has begun and not brought to an end."""
    entity, other = platform.entity(plan.entity), platform.entity(plan.other)
    left = []
    if entity is None or entity.fingerprint != plan.old["fingerprint"]:
        left.append(f"the key of {plan.entity} is not the old one")
    if other and plan.strategy != "in-place":
        left.append(f"{plan.other} exists")
    return left
