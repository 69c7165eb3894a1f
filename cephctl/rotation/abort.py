"""End a run where it is."""

from __future__ import annotations

import time
from functools import partial

from cephctl.deps import Deps
from cephctl.errors import Refused
from cephctl.results import Outcome, Proposal, Table
from cephctl.rotation.environment import LiveEnvironment
from cephctl.rotation.journal import Entry, Event, Journal, RunState, state_of
from cephctl.rotation.plan import FORWARD, Plan, this_host
from cephctl.rotation.run import lock_of
from cephctl.rotation.runs import RunRow, row_of


def abort(deps: Deps, journal: Journal, force: bool) -> Proposal:
    """End a run where it is. Refused while it is partially applied, unless forced."""
    plan, entries = journal.read()
    state = state_of(journal, entries)
    if state.has_ended or state is RunState.RUNNING:
        raise Refused(f"run {plan.run} is {state}; nothing to abort")
    left = [] if force else partially_applied(LiveEnvironment(deps, None), plan)
    refused = Refused(
        f"run {plan.run} is partially applied: {'; '.join(left)}",
        f"cephctl run resume {plan.run}, or run rollback; --force leaves it so",
    )
    return Proposal(
        shown=Table(RunRow, (row_of(journal),)),
        question=f"Abort run {plan.run}?",
        execute=partial(aborted, deps, journal, plan, force),
        refused=(refused,) if left else (),
        otherwise=Outcome(None, notes=(f"would abort run {plan.run}",)),
    )


def aborted(deps: Deps, journal: Journal, plan: Plan, force: bool) -> Outcome:
    with journal.alone():
        journal.destroy_key()
        journal.add(Entry(time.time(), Event.ABORTED, text="forced" if force else None))
    lock = lock_of(plan, this_host(), FORWARD)
    LiveEnvironment(deps, lock).give_lock_back()
    return Outcome(None, notes=(f"run {plan.run} is aborted",))


def partially_applied(environment: LiveEnvironment, plan: Plan) -> list[str]:
    """What a run has begun and not completed."""
    entity, other = environment.entity(plan.entity), environment.entity(plan.other)
    left = []
    if entity is None or entity.fingerprint != plan.old.fingerprint:
        left.append(f"the key of {plan.entity} is not the old one")
    if other and plan.strategy != "in-place":
        left.append(f"{plan.other} exists")
    return left
