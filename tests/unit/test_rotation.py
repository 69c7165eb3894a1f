"""Every strategy, cut off at every touch of the world, then resumed or rolled back; over a world in
memory.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from cephctl.ceph.keys import Entity, entity_of
from cephctl.cephx import new_key
from cephctl.cluster.sessions import MdsSession
from cephctl.errors import Interrupted
from cephctl.rotation.environment import MountState
from cephctl.rotation.plan import BACK, FORWARD, Direction, OldKey, Plan, other_name
from cephctl.rotation.steps import Done, Listener, Stalled, Step, StepKind, carry_out
from cephctl.rotation.strategies import Rotation

CAPS = {"mon": "allow r", "osd": "allow rw tag cephfs data=cephfs", "mds": "allow rw"}
NODES = ("one", "two", "three")
WEB = "client.web"


class Cut(BaseException):
    """The program was killed."""


def made(name: str, key: str) -> Entity:
    return entity_of({"entity": name, "caps": CAPS, "key": key})


@dataclass
class Memory:
    """A cluster and nodes. `cut` is the touch at which it ends; a change at that touch is made when
    `done` is true.

    A node's mount and each of its sessions are (entity, fingerprint, time).
    """

    cut: int | None = None
    done: bool = False
    touches: int = 0
    clock: float = 1000.0
    entities: dict[str, Entity] = field(default_factory=dict)
    mounts: dict[str, tuple[str, str, float] | None] = field(default_factory=dict)
    files: dict[str, dict[str, str]] = field(default_factory=dict)
    strangers: list[tuple[str, str, float]] = field(default_factory=list)
    watched: bool = True
    taken_over: float | None = None
    """When an MDS took over: it thinks that all sessions began then."""

    def touch(self, change: Callable[[], Any] | None = None) -> Any:
        self.touches += 1
        self.clock += 1
        if self.touches == self.cut:
            if self.done and change:
                change()
            raise Cut
        answer = change() if change else None
        if self.watched:
            self.check()
        return answer

    def check(self) -> None:
        """Nobody's mount lives on a key that the cluster does not know."""
        for node, mount in self.mounts.items():
            assert mount, node
            name, fingerprint, _ = mount
            assert self.entities[name].fingerprint == fingerprint, (
                f"{node} lives on a key that is gone"
            )

    # The protocol

    def now(self) -> float:
        return self.clock

    def wait(self, seconds: float) -> None:
        self.clock += seconds

    def entity(self, name: str) -> Entity | None:
        self.touch()
        return self.entities.get(name)

    def write_entity(self, name: str, key: str, caps: Mapping[str, str]) -> None:
        assert caps == CAPS
        self.touch(lambda: self.entities.update({name: made(name, key)}))

    def remove_entity(self, name: str) -> None:
        self.touch(lambda: self.entities.pop(name, None))

    def sessions(self) -> list[MdsSession]:
        self.touch()
        return list(self.all_sessions())

    def all_sessions(self) -> Iterator[MdsSession]:
        known: list[tuple[str | None, tuple[str, str, float] | None]] = [
            *self.mounts.items(),
            *((None, s) for s in self.strangers),
        ]
        for number, (node, mount) in enumerate(known):
            if mount:
                age = self.clock - max(mount[2], self.taken_over or 0)
                yield MdsSession(
                    mds="a",
                    id=number,
                    node=node,
                    entity=mount[0],
                    address=f"10.0.0.{number}:0/{mount[2]:.0f}",
                    hostname="host",
                    client="kernel",
                    version=None,
                    root="/",
                    caps=1,
                    state="open",
                    requests=0,
                    uptime_seconds=age,
                )

    def evict(self, session: MdsSession) -> None:
        assert session.node is None
        self.touch(lambda: self.strangers.pop(session.id - len(self.mounts)))

    def seen(self, node: str) -> MountState:
        self.touch()
        mount = self.mounts[node]
        return MountState(mount[0] if mount else None, None if mount else "not mounted")

    def switch(self, node: str, entity: Entity) -> Done:
        def change() -> None:
            assert self.entities[entity.name].fingerprint == entity.fingerprint, (
                "a mount with a wrong key is refused"
            )
            self.mounts[node] = (entity.name, entity.fingerprint, self.clock)

        self.touch(change)
        return Done(gap_ms=1.0)

    def files_differ(self, nodes: Sequence[str], entity: Entity, unit: bool) -> str | None:
        self.touch()
        return next(
            (node for node in nodes if self.files[node].get(entity.name) != entity.fingerprint),
            None,
        )

    def write_files(self, nodes: Sequence[str], entity: Entity, unit: bool) -> None:
        for node in nodes:
            self.touch(lambda node=node: self.files[node].update({entity.name: entity.fingerprint}))  # type: ignore[misc]

    def files_of(self, nodes: Sequence[str], entity: str) -> list[str]:
        self.touch()
        return [node for node in nodes if entity in self.files[node]]

    def remove_files(self, nodes: Sequence[str], entity: str) -> None:
        self.touch(lambda: [self.files[node].pop(entity, None) for node in nodes])

    def out_of_service(self, node: str) -> str | None:
        self.touch()
        return None


@dataclass
class Case:
    """A rotation of client.web on three nodes that mount as it."""

    strategy: str
    compromised: bool = False
    world: Memory = field(default_factory=Memory)
    before: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.old = made(WEB, new_key("aes", 10.0))
        self.world.watched = self.strategy != "in-place"
        self.world.entities[WEB] = self.old
        for node in NODES:
            self.world.mounts[node] = (WEB, self.old.fingerprint, 20.0)
            self.world.files[node] = {WEB: self.old.fingerprint}
        self.plan = Plan(
            "r",
            "now",
            "me",
            "here",
            "fsid",
            self.strategy,
            WEB,
            other_name(WEB, self.strategy),
            CAPS,
            OldKey(self.old.fingerprint, "aes", self.old.created),
            "aes",
            self.compromised,
            NODES,
            {},
        )

    def rotation(self, direction: Direction) -> Rotation:
        return Rotation(
            self.plan,
            self.world,
            direction,
            lambda: self.old,
            lambda: set(self.before),
            self.before.extend,
        )

    def go(self, direction: Direction) -> None:
        rotation = self.rotation(direction)
        carry_out(rotation.steps(), Listener(), lambda seconds: None)

    def cut_off(self, at: int, done: bool, direction: Direction = FORWARD) -> bool:
        """Whether it was cut off at this touch; else it came to its end before."""
        self.world.touches, self.world.cut, self.world.done = 0, at, done
        try:
            self.go(direction)
        except Cut:
            return True
        finally:
            self.world.cut = None
        return False

    def check_end(self, direction: Direction) -> None:
        """All nodes on one key, in use and on disk; no other entity; the right key."""
        world = self.world
        name = self.plan.other if (self.strategy, direction) == ("alternate", FORWARD) else WEB
        assert set(world.entities) == {name}
        key = world.entities[name].fingerprint
        assert (key == self.old.fingerprint) == (direction == BACK)
        assert world.files == {node: {name: key} for node in NODES}
        for mount in world.mounts.values():
            assert mount
            assert mount[:2] == (name, key)


STRATEGIES = ("overlap", "alternate", "in-place")


@pytest.mark.parametrize("strategy", STRATEGIES)
def test_all_the_way(strategy: str) -> None:
    case = Case(strategy)
    case.go(FORWARD)
    case.check_end(FORWARD)


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("done", [False, True], ids=["before", "behind"])
@pytest.mark.parametrize("then", [FORWARD, BACK])
def test_cut_off_at_every_touch(strategy: str, done: bool, then: Direction) -> None:
    at = 0
    while True:
        at += 1
        case = Case(strategy)
        if not case.cut_off(at, done):
            break
        case.go(then)
        case.check_end(then)
    assert at > 20, "it touches the world often, or this tests nothing"


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("then", [FORWARD, BACK])
def test_cut_off_on_the_way_back_at_every_touch(strategy: str, then: Direction) -> None:
    """From half-way forward, and from the place where only the last entity was to be removed."""
    total = Case(strategy)
    total.go(FORWARD)
    for half in (total.world.touches // 2, total.world.touches - 2):
        at = 0
        while True:
            at += 1
            case = Case(strategy)
            assert case.cut_off(half, done=True)
            if not case.cut_off(at, done=True, direction=BACK):
                break
            case.go(then)
            case.check_end(then)


def test_a_stranger_stops_it_before_the_key_is_changed() -> None:
    case = Case("overlap")
    case.world.strangers.append((WEB, case.old.fingerprint, 20.0))
    steps = Rotation(case.plan, case.world, FORWARD, lambda: case.old).steps()
    unused = next(step for step in steps if (step.kind, step.subject) == (StepKind.UNUSED, WEB))
    for step in steps[: steps.index(unused)]:
        step.act()
    assert "unknown host" in (unused.missing() or "")
    assert case.world.entities[WEB] == case.old


def test_a_thief_is_evicted_and_named() -> None:
    case = Case("in-place", compromised=True)
    case.world.strangers.append((WEB, case.old.fingerprint, 20.0))
    evicted: list[str] = []

    class Hears(Listener):
        def done(self, step: Step, done: Done, seconds: float) -> None:
            evicted.extend(done.evicted)

    rotation = Rotation(case.plan, case.world, FORWARD, lambda: case.old)
    carry_out(rotation.steps(), Hears(), lambda seconds: None)
    assert not case.world.strangers
    assert any("unknown host" in line for line in evicted)
    case.check_end(FORWARD)


@pytest.mark.parametrize("compromised", [False, True])
def test_an_mds_that_takes_over_makes_no_old_session_a_new_one(compromised: bool) -> None:
    case = Case("in-place", compromised)
    if compromised:
        case.world.strangers.append((WEB, case.old.fingerprint, 20.0))
    steps = case.rotation(FORWARD).steps()
    steps[0].act()
    case.world.clock += 100
    case.world.taken_over = case.world.clock
    case.go(FORWARD)
    assert not case.world.strangers
    case.check_end(FORWARD)


def test_interrupted_while_it_looks_it_does_nothing_more() -> None:
    done: list[str] = []

    def missing() -> str | None:
        raise Interrupted("interrupted")

    with pytest.raises(Interrupted):
        carry_out(
            [Step(StepKind.CREATE, "one", "one", missing, lambda: done.append("acted"))],
            Listener(),
            lambda seconds: None,
        )
    assert not done


def test_forward_too_wants_the_old_key_kept() -> None:
    for strategy in STRATEGIES:
        case = Case(strategy)
        with pytest.raises(Stalled, match="the old key is not on this machine"):
            carry_out(
                Rotation(case.plan, case.world, FORWARD, lambda: None).steps(),
                Listener(),
                lambda seconds: None,
            )
        assert case.world.entities[WEB] == case.old


def test_without_the_old_key_there_is_no_way_back_but_forward() -> None:
    case = Case("overlap")
    case.go(FORWARD)
    rotation = Rotation(case.plan, case.world, BACK, lambda: None)
    with pytest.raises(Stalled, match="the old key is not on this machine"):
        carry_out(rotation.steps(), Listener(), lambda seconds: None)
    case.go(FORWARD)
    case.check_end(FORWARD)


@pytest.mark.parametrize("strategy", ["overlap", "alternate"])
def test_a_node_that_mounts_with_the_old_key_again_stops_it(strategy: str) -> None:
    """Between the wait and the change: the last look before the key or the entity goes finds the
    session.
    """
    case = Case(strategy)
    kind = StepKind.REKEY if strategy == "overlap" else StepKind.REMOVE
    steps = case.rotation(FORWARD).steps()
    change = next(step for step in steps if step.kind is kind and step.subject == WEB)
    for step in steps[: steps.index(change)]:
        step.act()
    assert change.refused() is None
    case.world.mounts["two"] = (WEB, case.old.fingerprint, case.world.clock)
    with pytest.raises(Stalled, match="refused: in use by two"):
        carry_out([change], Listener(), lambda seconds: None)
    assert case.world.entities[WEB] == case.old
