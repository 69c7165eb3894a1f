"""What a rotation would do, and every way to go on with a run: resume, roll back, take over,
abort.
"""

from __future__ import annotations

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from cephctl.ceph.commands import fsid_of
from cephctl.ceph.keys import Entity
from cephctl.ceph.lock import LockHeld, RunLock, check_free
from cephctl.config import Node, unknown_node
from cephctl.deps import Deps
from cephctl.doctor.gather import Looks, gather
from cephctl.doctor.verdict import examine
from cephctl.errors import CephctlError, Refused, UsageError
from cephctl.parse import Json, Unreadable
from cephctl.results import Column, Kind, Outcome, Proposal, Record, Table
from cephctl.rotation.environment import LiveEnvironment
from cephctl.rotation.journal import Entry, Event, Journal, RunState, journals, state_of
from cephctl.rotation.plan import (
    BACK,
    FORWARD,
    Direction,
    OldKey,
    Plan,
    new_run,
    operator,
    other_name,
    this_host,
)
from cephctl.rotation.preflight import (
    Observed,
    Request,
    misused,
    refusals,
    type_of_key,
    warnings,
)
from cephctl.rotation.run import Listen, Run, lock_of, plan_in
from cephctl.rotation.steps import StepKind
from cephctl.rotation.strategies import Rotation

Watch = Callable[[Plan, Direction], AbstractContextManager[Listen]]
"""Makes whoever watches a run: on entering it gives what hears every entry."""
# Seconds that a step takes, where no earlier run tells.
GUESSES = {StepKind.AWAY: 30.0, StepKind.BACK: 30.0, StepKind.TO: 30.0, StepKind.FILES: 5.0}


@dataclass(frozen=True)
class PlannedStep(Record):
    """One step of the plan; `seconds` is the median of earlier runs on this machine, or a guess."""

    step: str
    text: str
    seconds: float

    columns = (Column("text", "STEP"), Column("seconds", "ESTIMATE", Kind.DURATION))


def rotate(deps: Deps, request: Request, break_lock: bool, watch: Watch) -> Proposal:
    """Look, refuse what is unsafe, and plan; or take over the run of a lost machine."""
    if error := misused(request, deps.site.entity, deps.operator_entity):
        raise error
    nodes = chosen(deps, request.skipped)
    if left := unfinished(deps, request.entity, break_lock):
        return take_over(deps, left, watch)
    seen = observe(deps, request, nodes)
    other = other_name(request.entity, request.strategy)
    refused = tuple(refusals(request, other, nodes, seen))
    if refused:
        return Proposal(None, "", lambda: Outcome(None), refused)
    assert seen.entity
    plan = plan_of(request, other, nodes, seen, seen.entity)
    notes = tuple(warnings(request, bool(deps.haproxy)))
    if request.compromised:
        using = [each for each in seen.sessions if each.entity == request.entity]
        notes += tuple(f"will be evicted: {each}" for each in using)
    return Proposal(
        shown=planned(deps, plan, FORWARD),
        question=f"Rotate the key of {request.entity} on {len(plan.nodes)} nodes?",
        execute=partial(begin, deps, plan, seen.entity, watch),
        warnings=notes,
    )


def chosen(deps: Deps, skipped: Mapping[str, str]) -> list[Node]:
    names = [node.name for node in deps.nodes]
    for name in skipped:
        if name not in names:
            raise unknown_node(name, names)
    nodes = [node for node in deps.nodes if node.name not in skipped]
    if not nodes:
        raise UsageError(
            "there are no nodes left to rotate on",
            "add each to cephctl.toml: [nodes.NAME] with address and shard",
        )
    return nodes


def observe(deps: Deps, request: Request, nodes: Sequence[Node]) -> Observed:
    """Both sides, as the doctor sees them, and what only a rotation needs."""
    facts = gather(deps, nodes, Looks(holders=True))
    environment = LiveEnvironment(deps, None)
    answering = [node.name for node in facts.nodes if not node.failure]
    return Observed(
        facts=facts,
        found=examine(facts),
        entity=environment.entity(request.entity),
        other=environment.entity(other_name(request.entity, request.strategy)),
        sessions=[] if facts.cluster.failure else environment.sessions(),
        looks=environment.looks(answering),
        out_of_service={
            name: environment.not_in_service(name) or environment.out_of_service(name)
            for name in answering
        },
    )


def plan_of(
    request: Request, other: str, nodes: Sequence[Node], seen: Observed, entity: Entity
) -> Plan:
    now, monmap = time.time(), seen.facts.cluster.monmap
    assert not isinstance(monmap, Unreadable)
    return Plan(
        run=new_run(now),
        began=datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
        operator=operator(),
        host=this_host(),
        cluster=monmap.fsid,
        strategy=request.strategy,
        entity=request.entity,
        other=other,
        caps=dict(entity.caps),
        old=OldKey(entity.fingerprint, entity.type, entity.created),
        key_type=type_of_key(request, seen.facts, seen.looks),
        compromised=request.compromised,
        nodes=tuple(node.name for node in nodes),
        skipped=dict(request.skipped),
    )


def planned(deps: Deps, plan: Plan, direction: Direction) -> Table[PlannedStep]:
    """What is left to do, with the times that earlier runs took."""
    took = dict(durations(deps))
    steps = Rotation(plan, LiveEnvironment(deps, None), direction, lambda: None).steps()
    rows = [
        PlannedStep(
            f"{step.kind} {step.subject}",
            step.text,
            round(took.get(step.kind, GUESSES.get(step.kind, 1.0)), 1),
        )
        for step in steps
    ]
    return Table(PlannedStep, tuple(rows))


def durations(deps: Deps) -> Iterator[tuple[StepKind, float]]:
    """Kind of step, and the median of what it took on this machine."""
    seconds: dict[StepKind, list[float]] = {}
    for journal in journals(deps.runs):
        for entry in journal.entries:
            if entry.event is Event.DONE and entry.kind and entry.seconds is not None:
                seconds.setdefault(entry.kind, []).append(entry.seconds)
    for kind, values in seconds.items():
        yield kind, statistics.median(values)


# Runs that exist already


def unfinished(deps: Deps, entity: str, break_lock: bool) -> Mapping[str, Json] | None:
    """The content of the lock of a run to take over, if --break-lock was given. Refused when a run
    is unfinished or alive.
    """
    if not break_lock:
        check_no_run(deps, entity)
    left = left_by_others(deps, entity)
    if left is not None and not break_lock:
        raise LockHeld(f"run.{entity}", left, alive=False)
    if left is None:
        check_no_run(deps, entity)
    return left


def check_no_run(deps: Deps, entity: str) -> None:
    """An unfinished run of this machine must be ended first."""
    for journal in journals(deps.runs):
        plan, entries = journal.read()
        state = state_of(journal, entries)
        if plan.entity == entity and not state.has_ended:
            running = state is RunState.RUNNING
            show, resume = f"run show {plan.run}", f"run resume {plan.run}, or run rollback"
            raise Refused(
                f"run {plan.run} of {plan.who}, begun {plan.began}, is {state}",
                f"cephctl {show if running else resume}",
            )


def left_by_others(deps: Deps, entity: str) -> Mapping[str, Json] | None:
    """The lock's content of a run that was not ended; LockHeld when one is alive.

    A run of this machine that has ended and could not release its lock does so now.
    """
    identity = RunLock(f"run.{entity}", f"{os.getpid()}@{this_host()}", "{}")
    told: Mapping[str, Json] | None
    [told] = deps.ask(partial(check_free, identity))
    if told is None or told.get("host") != this_host():
        return told
    journal = Journal(deps.runs, str(told.get("run")))
    if journal.exists and state_of(journal, journal.entries).has_ended:
        lock = lock_of(journal.plan, this_host(), FORWARD)
        LiveEnvironment(deps, lock).give_lock_back()
        return None
    return told


def take_over(deps: Deps, told: Mapping[str, Json], watch: Watch) -> Proposal:
    """Continue the run of a lost machine in its last direction. Its old key was there; here it is
    kept if it is unchanged.
    """
    plan = plan_in(told)
    direction = BACK if told.get("direction") == BACK else FORWARD
    check_fits(deps, plan)
    return Proposal(
        shown=planned(deps, plan, direction),
        question=(
            f"Take over run {plan.run} from {plan.host}? Only if {plan.host} will not come back."
        ),
        execute=partial(execute, deps, plan, direction, watch, take_over=True),
        warnings=(f"taking over run {plan.run} of {plan.who}, begun {plan.began}",),
    )


def resume(
    deps: Deps, journal: Journal, direction: Direction, skipped: Mapping[str, str], watch: Watch
) -> Proposal:
    """Continue a run of this machine, forward or back."""
    plan, entries = journal.read()
    state = state_of(journal, entries)
    if state.has_ended:
        raise Refused(f"run {plan.run} is {state}; nothing to resume")
    if state is RunState.RUNNING:
        raise Refused(f"run {plan.run} is in progress", f"cephctl run show {plan.run}")
    check_fits(deps, plan)
    if strange := [node for node in skipped if node not in plan.nodes]:
        raise UsageError(
            f"node {strange[0]} is not part of run {plan.run}",
            f"its nodes are {', '.join(plan.nodes)}",
        )
    plan = plan.without(skipped)
    verb = "Resume" if direction is FORWARD else "Roll back"
    return Proposal(
        shown=planned(deps, plan, direction),
        question=f"{verb} run {plan.run}?",
        execute=partial(execute, deps, plan, direction, watch, skipped=skipped),
    )


def check_fits(deps: Deps, plan: Plan) -> None:
    """A run continues with the cluster and the nodes that it began with."""
    [fsid] = deps.ask(fsid_of)
    if fsid != plan.cluster:
        raise Refused(
            f"run {plan.run} belongs to cluster {plan.cluster}; connected to {fsid}",
            "see --cluster, --conf, --config",
        )
    known = {node.name for node in deps.nodes}
    if gone := [node for node in plan.nodes if node not in known]:
        raise Refused(
            f"node {gone[0]} of run {plan.run} is not in the inventory",
            "put it back until the run has ended",
        )


def begin(deps: Deps, plan: Plan, entity: Entity, watch: Watch) -> Outcome:
    """The journal first, then the lock. The cluster may have changed while the question was
    asked.
    """
    journal = Journal(deps.runs, plan.run)
    journal.create(plan)
    environment = LiveEnvironment(deps, lock_of(plan, this_host(), FORWARD))
    try:
        environment.take_lock()
        now, other = environment.entity(plan.entity), environment.entity(plan.other)
        if now != entity or (other and plan.strategy != "in-place"):
            environment.give_lock_back()
            raise Refused(f"{plan.entity} was changed meanwhile", "see: cephctl keys show")
    except CephctlError:
        journal.add(Entry(time.time(), Event.ABORTED, text="it could not begin"))
        raise
    with watch(plan, FORWARD) as listen:
        return Outcome(Run(journal, plan, environment, listen).execute(FORWARD))


def execute(
    deps: Deps,
    plan: Plan,
    direction: Direction,
    watch: Watch,
    skipped: Mapping[str, str] | None = None,
    take_over: bool = False,
) -> Outcome:
    """Continue a run; with `take_over` the lock was another machine's until now."""
    journal = Journal(deps.runs, plan.run)
    environment = LiveEnvironment(deps, lock_of(plan, this_host(), direction))
    environment.take_lock(take_over)
    if not journal.exists:
        journal.create(plan)
    if skipped:
        journal.add(Entry(time.time(), Event.SKIPPED, skipped=skipped))
    with watch(plan, direction) as listen:
        return Outcome(Run(journal, plan, environment, listen).execute(direction))
