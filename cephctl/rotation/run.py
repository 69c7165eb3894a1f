"""One run from its beginning to its end, forward or back: lock, steps, journal, and the result."""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial

from cephctl.ceph.keys import Entity, entity_of
from cephctl.ceph.lock import RunLock
from cephctl.cephconf import MalformedFile
from cephctl.cephx import keyring_text, new_key, parse_keyring
from cephctl.errors import CephctlError, Interrupted
from cephctl.parse import Json, Malformed, parse, to_json
from cephctl.rotation.environment import LiveEnvironment
from cephctl.rotation.journal import Entry, Event, Journal, RunState
from cephctl.rotation.plan import BACK, FORWARD, Direction, Plan
from cephctl.rotation.report import Report, report
from cephctl.rotation.steps import Done, Listener, Stalled, Step, carry_out
from cephctl.rotation.strategies import Rotation

ENDS = {
    FORWARD: (Event.FINISHED, RunState.FINISHED),
    BACK: (Event.ROLLED_BACK, RunState.ROLLED_BACK),
}
Listen = Callable[[Entry], None]


def lock_of(plan: Plan, host: str, direction: Direction) -> RunLock:
    """Its content has plan and direction, so that a run whose machine is lost can be taken over; it
    has no key.
    """
    told: dict[str, Json] = {
        "run": plan.run,
        "host": host,
        "operator": plan.operator,
        "began": plan.began,
        "direction": direction,
        "plan": to_json(plan),
    }
    return RunLock(plan.lock, f"{plan.run}@{host}", json.dumps(told))


def plan_in(told: Mapping[str, Json]) -> Plan:
    """The plan of a run, from the content of its lock."""
    try:
        return parse(Plan, told.get("plan"), "plan")
    except Malformed as error:
        raise CephctlError(
            f"the lock has no plan that this version of cephctl can resume: {error}"
        ) from None


def keep_old_key(journal: Journal, plan: Plan, entity: Entity | None) -> None:
    """As a keyring, so that it can be restored by hand too: `ceph auth import -i`. Possible while
    the cluster has it.
    """
    if journal.kept_key() is None and entity and entity.fingerprint == plan.old.fingerprint:
        journal.keep_key(keyring_text(plan.entity, entity.key, plan.caps))


def old_key(journal: Journal, plan: Plan) -> Entity | None:
    kept = journal.kept_key()
    try:
        found = parse_keyring(kept or b"").get(plan.entity)
    except MalformedFile as error:
        raise CephctlError(f"{journal.keyring} is damaged: {error}") from None
    if found is None or found.key.fingerprint != plan.old.fingerprint:
        return None
    key = new_key(found.key.type, found.key.created.timestamp(), found.key.secret)
    return entity_of({"entity": plan.entity, "caps": plan.caps, "key": key})


@dataclass(frozen=True)
class Run(Listener):
    """A run in progress. `listen` hears every entry right after it is on disk."""

    journal: Journal
    plan: Plan
    environment: LiveEnvironment
    listen: Listen = lambda entry: None

    def note(self, entry: Entry) -> None:
        self.journal.add(entry)
        self.listen(entry)

    def tell(self, event: Event, **more: Json) -> None:
        self.note(Entry(time.time(), event, **more))

    def settled(self, step: Step) -> None:
        self.tell(Event.SETTLED, kind=step.kind, subject=step.subject)

    def started(self, step: Step) -> None:
        self.tell(Event.STARTED, kind=step.kind, subject=step.subject)

    def done(self, step: Step, done: Done, seconds: float) -> None:
        entry = Entry(
            time.time(),
            Event.DONE,
            step.kind,
            step.subject,
            seconds=seconds,
            gap_ms=done.gap_ms,
            instance=done.instance,
            drain=done.drain,
            evicted=done.evicted,
        )
        self.note(entry)

    def execute(self, direction: Direction) -> Report:
        """To the end, from wherever it is; the lock is held. Raises Stalled or Interrupted, which
        are in the journal by then.
        """
        with self.journal.alone():
            self.tell(Event.BEGAN, direction=direction)
            try:
                result = self.steps(direction)
            except (KeyboardInterrupt, Interrupted):
                self.tell(Event.INTERRUPTED)
                raise Interrupted(f"run {self.plan.run} was interrupted", hint(self.plan)) from None
            except CephctlError as error:
                with contextlib.suppress(CephctlError):
                    self.tell(Event.STALLED, text=error.message)
                more = "\n".join(filter(None, [error.hint, hint(self.plan)]))
                raise Stalled(f"run {self.plan.run} stalled: {error.message}", more) from None
            self.tell(ENDS[direction][0])
        self.environment.give_lock_back()
        return result

    def steps(self, direction: Direction) -> Report:
        plan, environment = self.plan, self.environment
        keep_old_key(self.journal, plan, environment.entity(plan.entity))
        carry_out(self.rotation(direction).steps(), self, environment.wait)
        sessions = environment.sessions()
        entity = environment.entity(plan.final_entity(direction))
        destroyed = self.journal.keyring if self.journal.destroy_key() else None
        return report(plan, ENDS[direction][1], self.journal.entries, sessions, entity, destroyed)

    def rotation(self, direction: Direction) -> Rotation:
        """With what only the journal knows: the old key, and which sessions there were when the key
        was changed.
        """
        before = {instance for entry in self.journal.entries for instance in entry.instances}

        def remember(instances: list[str]) -> None:
            self.tell(Event.SESSIONS, instances=tuple(instances))
            before.update(instances)

        return Rotation(
            self.plan,
            self.environment,
            direction,
            partial(old_key, self.journal, self.plan),
            lambda: before,
            remember,
        )


def hint(plan: Plan) -> str:
    return f"resume:     cephctl run resume {plan.run}\nroll back:  cephctl run rollback {plan.run}"
