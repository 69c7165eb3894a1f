"""The strategies of a rotation: which steps lead from the world as it is to the one that is wanted, forward and back.

Every list of steps is made from what is seen, so that a run that was cut off anywhere goes on right:

overlap    a second entity with the same caps takes over, node by node; when nobody uses the first one any more its key is changed, and
           the nodes go back to it. Every mount lives on a key that the cluster knows, at every moment; files lag by seconds.
alternate  the same with one roll: the nodes stay with the other entity, and the first one is removed.
in-place   the key is changed at once, and the nodes follow. Between the two a node that loses its monitor hangs.

Rolling back is the same way with the old key as the goal.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from cephctl.ceph.keys import Entity
from cephctl.cephx import new_key, parse_key
from cephctl.rotation.environment import Environment, Session
from cephctl.rotation.record import Plan
from cephctl.rotation.steps import Stalled, Step

FORWARD, BACK = "forward", "back"
SWITCH_SECONDS = 90.0
UNUSED_SECONDS = 90.0
CLOCK_SECONDS = 1.0
"""How far the age of a session and the date of a key may be apart by rounding."""


@dataclass(frozen=True)
class Rotation:
    """One run's way through the world. `old_key` is what rolling back needs; None when it is not on this machine.

    `before` are the instances that had a session when the key was changed, as `remember` was told them: an MDS that takes over forgets
    how old its sessions are.
    """

    plan: Plan
    world: Environment
    direction: str
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
            yield self.there(other)
            yield from (self.on(node, other, "away") for node in self.plan.nodes)
            yield self.unused(entity)
            yield self.rekeyed()
        yield self.files(entity)
        yield from (self.on(node, entity, "back") for node in self.plan.nodes)
        yield self.unused(other)
        yield self.gone(other)

    def alternate(self) -> Iterator[Step]:
        entity, other = self.plan.entity, self.plan.other
        wanted, left = (other, entity) if self.direction == FORWARD else (entity, other)
        if wanted == entity:
            yield self.restored(entity)
        else:
            yield self.there(other)
        yield self.files(wanted, unit=True)
        yield from (self.on(node, wanted, "to") for node in self.plan.nodes)
        yield self.unused(left)
        # The first entity's key would be gone with it, and with that the way back.
        yield self.gone(left, only_with_old_key=left == entity)
        yield self.cleaned(left)

    def in_place(self) -> Iterator[Step]:
        entity = self.plan.entity
        yield self.rekeyed()
        yield self.files(entity)
        if self.plan.compromised:
            yield self.evicted("strangers", lambda session: session.node not in self.plan.nodes)
        yield from (self.on(node, entity, "to") for node in self.plan.nodes)
        if self.plan.compromised:
            yield self.evicted("old", lambda session: True)
        yield self.unused(entity, old_only=True)

    # What is wanted

    def has_wanted_key(self) -> bool:
        found = self.world.entity(self.plan.entity)
        return found is not None and (found.fingerprint == self.plan.old["fingerprint"]) == (
            self.direction == BACK
        )

    def predates(self, session: Session, key: Entity) -> bool:
        """Whether a session was opened before its entity's key was changed: it lives on a key that is gone."""
        return (
            session.age >= self.world.now() - key.created - CLOCK_SECONDS
            or session.instance in self.before()
        )

    def is_stray(self, session: Session, wanted: Entity) -> bool:
        """Whether a session uses what this run does away with."""
        ours = (self.plan.entity, self.plan.other)
        if session.entity != wanted.name:
            return session.entity in ours
        # Of a stolen key old sessions are evicted in the end, whosever they are.
        return not self.plan.compromised and self.predates(session, wanted)

    def is_fresh(self, session: Session, wanted: Entity) -> bool:
        """Whether a session is what a switched node has."""
        return (
            session.entity == wanted.name
            and session.state == "open"
            and not self.predates(session, wanted)
        )

    def needed(self, name: str) -> Entity:
        found = self.world.entity(name)
        if found is None:
            raise Stalled(f"{name} does not exist", "somebody removed it; roll back, or resume")
        return found

    # The steps

    def there(self, name: str) -> Step:
        """An entity with the caps of the first one, and a key of its own."""

        def missing() -> str | None:
            found = self.world.entity(name)
            if found is None:
                return f"{name} does not exist"
            return None if found.caps == self.plan.caps else f"{name} has other caps"

        def act() -> None:
            found = self.world.entity(name)
            key = found.key if found else new_key(self.plan.key_type, self.world.now())
            self.world.write_entity(name, key, self.plan.caps)

        return Step(
            f"create:{name}", f"create {name} with the caps of {self.plan.entity}", missing, act
        )

    def on(self, node: str, name: str, way: str) -> Step:
        """A node that mounts as an entity, with its present key, and with nothing else."""

        def missing() -> str | None:
            seen = self.world.seen(node)
            if seen.entity != name or seen.trouble:
                return f"{node}: {seen.trouble or f'it mounts as {seen.entity}'}"
            wanted = self.needed(name)
            mine = [session for session in self.world.sessions() if session.node == node]
            if stray := [session for session in mine if self.is_stray(session, wanted)]:
                old = stray[0]
                return f"{node}: client {old.instance} still has a session as {old.entity} (mds.{old.mds}, id {old.id})"
            return (
                None
                if any(self.is_fresh(session, wanted) for session in mine)
                else f"{node}: no MDS has an open session of it"
            )

        def refused() -> str | None:
            return self.world.out_of_service(node)

        def act() -> dict[str, Any]:
            wanted = self.needed(name)
            # So that the age of its session tells for certain which key it was opened with.
            while self.world.now() - wanted.created < 2 * CLOCK_SECONDS:
                self.world.wait(CLOCK_SECONDS / 2)
            return self.world.switch(node, wanted)

        return Step(
            f"{way}:{node}", f"switch {node} to {name}", missing, act, node, refused, SWITCH_SECONDS
        )

    def unused(self, name: str, old_only: bool = False) -> Step:
        """Nobody anywhere has a session with a key that is to go."""

        def missing() -> str | None:
            key = self.world.entity(name)
            found = [session for session in self.world.sessions() if session.entity == name]
            if old_only:
                found = [session for session in found if key and self.predates(session, key)]
            return None if not found else "still in use by " + ", ".join(map(described, found))

        what = f"the old key of {name}" if old_only else name
        return Step(
            f"unused:{name}",
            f"see that nobody uses {what}",
            missing,
            lambda: None,
            seconds=UNUSED_SECONDS,
        )

    def rekeyed(self) -> Step:
        """The entity has the wanted key: another than the old one, or the old one again."""
        name = self.plan.entity

        def missing() -> str | None:
            return (
                None
                if self.has_wanted_key()
                else f"{name} has the {'old' if self.direction == FORWARD else 'new'} key"
            )

        def act() -> None:
            # Forward too: without the old key there would be no way back.
            old = self.old_secret()
            self.remember(
                [session.instance for session in self.world.sessions() if session.entity == name]
            )
            secret = None if self.direction == FORWARD else old
            self.world.write_entity(
                name,
                new_key(
                    self.plan.key_type if secret is None else self.plan.old["type"],
                    self.world.now(),
                    secret,
                ),
                self.plan.caps,
            )

        text = (
            f"change the key of {name}"
            if self.direction == FORWARD
            else f"give {name} its old key back"
        )
        return Step(f"rekey:{name}", text, missing, act)

    def restored(self, name: str) -> Step:
        """The first entity is there; it may have been removed already."""

        def missing() -> str | None:
            return None if self.world.entity(name) else f"{name} does not exist"

        def act() -> None:
            key = new_key(self.plan.old["type"], self.world.now(), self.old_secret())
            self.world.write_entity(name, key, self.plan.caps)

        return Step(f"restore:{name}", f"see that {name} is there", missing, act)

    def old_secret(self) -> bytes:
        kept = self.old_key()
        if kept is None:
            raise Stalled(
                "the old key is not on this machine",
                f"if it is anywhere, then on {self.plan.host}, in the directory of records; resume the run instead",
            )
        return parse_key(kept.key).secret

    def files(self, name: str, unit: bool = False) -> Step:
        """The entity's key on every node, in the files that the next mount reads."""
        nodes = self.plan.nodes
        return Step(
            f"files:{name}",
            f"write the key of {name} on {len(nodes)} nodes",
            lambda: self.world.files_differ(nodes, self.needed(name), unit),
            lambda: self.world.write_files(nodes, self.needed(name), unit),
        )

    def gone(self, name: str, only_with_old_key: bool = False) -> Step:
        def act() -> None:
            if only_with_old_key:
                self.old_secret()
            self.world.remove_entity(name)

        return Step(
            f"remove:{name}",
            f"remove {name}",
            lambda: f"{name} still exists" if self.world.entity(name) else None,
            act,
        )

    def cleaned(self, name: str) -> Step:
        """No file of a removed entity's key is left on a node."""
        nodes = self.plan.nodes

        def missing() -> str | None:
            left = self.world.files_of(nodes, name, remove=False)
            return f"{', '.join(left)}: files of {name} are still there" if left else None

        return Step(
            f"clean:{name}",
            f"remove the files of {name} from nodes",
            missing,
            lambda: self.world.files_of(nodes, name, remove=True) and None,
        )

    def evicted(self, which: str, chosen: Callable[[Session], bool]) -> Step:
        """The sessions that live on the old key are ended, one by one, by id."""
        name = self.plan.entity

        def old() -> list[Session]:
            key = self.needed(name)
            return [
                s
                for s in self.world.sessions()
                if s.entity == name and self.predates(s, key) and chosen(s)
            ]

        def missing() -> str | None:
            found = old()
            return "still there: " + ", ".join(map(described, found)) if found else None

        def act() -> dict[str, list[str]]:
            found = old()
            for session in found:
                self.world.evict(session)
            return {"evicted": [described(session) for session in found]}

        return Step(
            f"evict:{which}",
            f"evict the {'strangers' if which == 'strangers' else 'sessions'} that use the old key",
            missing,
            act,
        )


def described(session: Session) -> str:
    """A session for people: who it is, and how to find it."""
    whom = session.node or f"unknown host {session.host or '?'}"
    return f"{whom} ({session.instance}, id {session.id} at mds.{session.mds})"


def other_name(entity: str, strategy: str) -> str:
    """The second entity's name; with "alternate" the two take turns.

    >>> other_name("client.web", "overlap"), other_name("client.web", "alternate"), other_name("client.web-b", "alternate")
    ('client.web-next', 'client.web-b', 'client.web')
    """
    if strategy == "alternate":
        return entity.removesuffix("-b") if entity.endswith("-b") else f"{entity}-b"
    return f"{entity}-next"
