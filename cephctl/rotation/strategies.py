"""The strategies of a rotation: which steps lead from the current state to the wanted one, forward
and back.

Every list of steps is made from the state at that time, so a run that was interrupted anywhere can
continue:

overlap    a second entity with the same caps takes over, node by node; when no session uses the
           first one its key is changed, and the nodes go back to it. At every moment each mount
           uses a key that the cluster accepts; files follow in seconds.
alternate  the same with one pass: the nodes stay with the other entity, and the first is removed.
in-place   the key is changed at once, and the nodes follow. Between the two a node that loses its
           monitor hangs.

Rolling back is the same way with the old key as the goal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from cephctl.ceph.keys import Entity
from cephctl.cephx import new_key, parse_key
from cephctl.cluster.sessions import MdsSession
from cephctl.rotation.environment import Environment
from cephctl.rotation.plan import BACK, FORWARD, Direction, Plan
from cephctl.rotation.steps import Done, Stalled, Step, StepKind

SETTLE_SECONDS = 90.0
UNUSED_SECONDS = 90.0
CLOCK_SECONDS = 1.0
"""How far the age of a session and the date of a key may be apart by rounding."""


@dataclass(frozen=True)
class Rotation:
    """One run's way through the world. `old_key` is what rolling back needs; None when it is not on
    this machine.

    `before` are the instances that had a session when the key was changed, as `remember` was told
    them: an MDS that takes over forgets how old its sessions are.
    """

    plan: Plan
    environment: Environment
    direction: Direction
    old_key: Callable[[], Entity | None]
    before: Callable[[], set[str]] = set
    remember: Callable[[list[str]], None] = lambda instances: None

    def steps(self) -> list[Step]:
        """What is left to do, in its order, by what is seen now."""
        makers = {"overlap": self.overlap, "alternate": self.alternate, "in-place": self.in_place}
        return list(makers[self.plan.strategy]())

    # The strategies

    def overlap(self) -> Iterator[Step]:
        entity, other = self.plan.entity, self.plan.other
        if not self.has_wanted_key():
            yield self.create_entity(other)
            yield from (self.switch_node(node, other, StepKind.AWAY) for node in self.plan.nodes)
            yield self.wait_unused(entity)
            yield self.change_key()
        yield self.write_key_files(entity)
        yield from (self.switch_node(node, entity, StepKind.BACK) for node in self.plan.nodes)
        yield self.wait_unused(other)
        yield self.remove_entity(other)

    def alternate(self) -> Iterator[Step]:
        entity, other = self.plan.entity, self.plan.other
        wanted, left = (other, entity) if self.direction == FORWARD else (entity, other)
        if wanted == entity:
            yield self.restore_entity(entity)
        else:
            yield self.create_entity(other)
        yield self.write_key_files(wanted, unit=True)
        yield from (self.switch_node(node, wanted, StepKind.TO) for node in self.plan.nodes)
        yield self.wait_unused(left)
        # The first entity's key would be gone with it, and with that the way back.
        yield self.remove_entity(left, only_with_old_key=left == entity)
        yield self.remove_files(left)

    def in_place(self) -> Iterator[Step]:
        entity = self.plan.entity
        yield self.change_key()
        yield self.write_key_files(entity)
        if self.plan.compromised:
            yield self.evict("unknown", lambda session: session.node not in self.plan.nodes)
        yield from (self.switch_node(node, entity, StepKind.TO) for node in self.plan.nodes)
        if self.plan.compromised:
            yield self.evict("old", lambda session: True)
        yield self.wait_unused(entity, old_only=True)

    # What is wanted

    def has_wanted_key(self) -> bool:
        found = self.environment.entity(self.plan.entity)
        return found is not None and (found.fingerprint == self.plan.old.fingerprint) == (
            self.direction == BACK
        )

    def predates(self, session: MdsSession, key: Entity) -> bool:
        """Whether a session was opened before its entity's key was changed: it lives on a key that
        is gone.
        """
        return (
            session.uptime_seconds >= self.environment.now() - key.created - CLOCK_SECONDS
            or session.address in self.before()
        )

    def is_stray(self, session: MdsSession, wanted: Entity) -> bool:
        """Whether a session uses what this run does away with."""
        ours = (self.plan.entity, self.plan.other)
        if session.entity != wanted.name:
            return session.entity in ours
        # Of a stolen key old sessions are evicted in the end, whosever they are.
        return not self.plan.compromised and self.predates(session, wanted)

    def is_fresh(self, session: MdsSession, wanted: Entity) -> bool:
        """Whether a session is what a switched node has."""
        return (
            session.entity == wanted.name
            and session.state == "open"
            and not self.predates(session, wanted)
        )

    def needed(self, name: str) -> Entity:
        found = self.environment.entity(name)
        if found is None:
            raise Stalled(f"{name} does not exist", "it was removed; roll back, or resume")
        return found

    def in_use(self, name: str) -> str | None:
        """Who uses an entity now."""
        found = [each for each in self.environment.sessions() if each.entity == name]
        return f"in use by {', '.join(map(str, found))}" if found else None

    # The steps

    def create_entity(self, name: str) -> Step:
        """An entity with the caps of the first one, and a key of its own."""

        def missing() -> str | None:
            found = self.environment.entity(name)
            if found is None:
                return f"{name} does not exist"
            return None if found.caps == self.plan.caps else f"{name} has other caps"

        def act() -> None:
            found = self.environment.entity(name)
            key = found.key if found else new_key(self.plan.key_type, self.environment.now())
            self.environment.write_entity(name, key, self.plan.caps)

        return Step(
            StepKind.CREATE,
            name,
            f"create {name} with the caps of {self.plan.entity}",
            missing,
            act,
        )

    def switch_node(self, node: str, name: str, way: StepKind) -> Step:
        """A node that mounts as an entity, with its present key, and with nothing else."""

        def missing() -> str | None:
            seen = self.environment.seen(node)
            if seen.entity != name or seen.problem:
                return f"{node}: {seen.problem or f'it mounts as {seen.entity}'}"
            wanted = self.needed(name)
            mine = [session for session in self.environment.sessions() if session.node == node]
            if stray := [session for session in mine if self.is_stray(session, wanted)]:
                old = stray[0]
                return (
                    f"{node}: client {old.address} still has a session as {old.entity} "
                    f"(mds.{old.mds}, id {old.id})"
                )
            return (
                None
                if any(self.is_fresh(session, wanted) for session in mine)
                else f"{node}: no MDS has an open session of it"
            )

        def refused() -> str | None:
            return self.environment.out_of_service(node)

        def act() -> Done:
            wanted = self.needed(name)
            # So that the age of its session tells for certain which key it was opened with.
            while self.environment.now() - wanted.created < 2 * CLOCK_SECONDS:
                self.environment.wait(CLOCK_SECONDS / 2)
            return self.environment.switch(node, wanted)

        return Step(way, node, f"switch {node} to {name}", missing, act, refused, SETTLE_SECONDS)

    def wait_unused(self, name: str, old_only: bool = False) -> Step:
        """Nobody anywhere has a session with a key that is to go."""

        def missing() -> str | None:
            key = self.environment.entity(name)
            found = [session for session in self.environment.sessions() if session.entity == name]
            if old_only:
                found = [session for session in found if key and self.predates(session, key)]
            return None if not found else "in use by " + ", ".join(map(str, found))

        what = f"the old key of {name}" if old_only else name
        return Step(
            StepKind.UNUSED,
            name,
            f"wait until no session uses {what}",
            missing,
            lambda: None,
            seconds=UNUSED_SECONDS,
        )

    def change_key(self) -> Step:
        """The entity has the wanted key: another than the old one, or the old one again."""
        name, forward = self.plan.entity, self.direction == FORWARD

        def missing() -> str | None:
            which = "old" if forward else "new"
            return None if self.has_wanted_key() else f"{name} has the {which} key"

        def act() -> None:
            # Forward too: without the old key there would be no way back.
            old = self.old_secret()
            using = [each for each in self.environment.sessions() if each.entity == name]
            self.remember([each.address for each in using])
            now, plan = self.environment.now(), self.plan
            key = new_key(plan.key_type, now) if forward else new_key(plan.old.type, now, old)
            self.environment.write_entity(name, key, plan.caps)

        def refused() -> str | None:
            # A node may have mounted with the old key again meanwhile. In place that is meant.
            return None if self.plan.strategy == "in-place" else self.in_use(name)

        text = f"change the key of {name}" if forward else f"give {name} its old key back"
        return Step(StepKind.REKEY, name, text, missing, act, refused)

    def restore_entity(self, name: str) -> Step:
        """The first entity is there; it may have been removed already."""

        def missing() -> str | None:
            return None if self.environment.entity(name) else f"{name} does not exist"

        def act() -> None:
            key = new_key(self.plan.old.type, self.environment.now(), self.old_secret())
            self.environment.write_entity(name, key, self.plan.caps)

        return Step(StepKind.RESTORE, name, f"ensure {name} exists", missing, act)

    def old_secret(self) -> bytes:
        kept = self.old_key()
        if kept is None:
            raise Stalled(
                "the old key is not on this machine",
                (
                    f"it may be on {self.plan.host}, in the directory of journals; resume the "
                    "run instead"
                ),
            )
        return parse_key(kept.key).secret

    def write_key_files(self, name: str, unit: bool = False) -> Step:
        """The entity's key on every node, in the files that the next mount reads."""
        nodes = self.plan.nodes
        return Step(
            StepKind.FILES,
            name,
            f"write the key of {name} on {len(nodes)} nodes",
            lambda: self.environment.files_differ(nodes, self.needed(name), unit),
            lambda: self.environment.write_files(nodes, self.needed(name), unit),
        )

    def remove_entity(self, name: str, only_with_old_key: bool = False) -> Step:
        def act() -> None:
            if only_with_old_key:
                self.old_secret()
            self.environment.remove_entity(name)

        return Step(
            StepKind.REMOVE,
            name,
            f"remove {name}",
            lambda: f"{name} still exists" if self.environment.entity(name) else None,
            act,
            lambda: self.in_use(name),
        )

    def remove_files(self, name: str) -> Step:
        """No file of a removed entity's key is left on a node."""
        nodes = self.plan.nodes

        def missing() -> str | None:
            left = self.environment.files_of(nodes, name)
            return f"{', '.join(left)}: files of {name} are still there" if left else None

        return Step(
            StepKind.CLEAN,
            name,
            f"remove the files of {name} from nodes",
            missing,
            lambda: self.environment.remove_files(nodes, name),
        )

    def evict(self, which: str, chosen: Callable[[MdsSession], bool]) -> Step:
        """The sessions that live on the old key are ended, one by one, by id."""
        name = self.plan.entity

        def old() -> list[MdsSession]:
            key = self.needed(name)
            return [
                s
                for s in self.environment.sessions()
                if s.entity == name and self.predates(s, key) and chosen(s)
            ]

        def missing() -> str | None:
            found = old()
            return "still there: " + ", ".join(map(str, found)) if found else None

        def act() -> Done:
            found = old()
            for session in found:
                self.environment.evict(session)
            return Done(evicted=tuple(map(str, found)))

        return Step(
            StepKind.EVICT,
            which,
            (
                f"evict the {'unknown clients' if which == 'unknown' else 'sessions'} that use "
                "the old key"
            ),
            missing,
            act,
        )
