"""A rotation on a real cluster, killed (-9) again and again, then resumed or rolled back by a fresh
process; and its lock.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path

import pytest

from cephctl.ceph.keys import Entity, import_entity, read_entity, remove_entity
from cephctl.ceph.lock import LOCK_SECONDS, LockHeld, acquire, check_free, held, release
from cephctl.ceph.target import Target
from cephctl.cephx import new_key
from cephctl.errors import CephctlError
from cephctl.rotation.environment import nothing
from cephctl.rotation.journal import Journal
from cephctl.rotation.plan import BACK, FORWARD, Direction, OldKey, Plan, other_name
from cephctl.rotation.run import keep_old_key, lock_of
from tests.cluster.clean import ask_cleanly
from tests.cluster.light import NAMES, LightNodes, hold
from tests.lab.ceph import Cluster
from tests.lab.shell import stop_pid

CAPS = {"mon": "allow r", "osd": "allow rw tag cephfs data=cephfs", "mds": "allow rw"}
WEB = "client.rolled"
STRATEGIES = ("overlap", "alternate", "in-place")
EVERY = int(os.environ.get("CEPHCTL_EVERY_TOUCH", "19"))
"""At which touches it is killed: at each of them (1) takes a quarter of an hour for a release."""


class Rolling:
    """Two light nodes that have mounted as an entity, and a run that is to rotate it."""

    def __init__(self, folder: Path, target: Target, strategy: str) -> None:
        self.folder, self.target = folder, target
        (folder / "target.json").write_text(json.dumps(asdict(target)))
        ask_cleanly(target, partial(import_entity, WEB, new_key("aes", time.time() - 1000), CAPS))
        self.old = self.entity(WEB)
        assert self.old
        other = other_name(WEB, strategy)
        self.plan = Plan(
            "r1",
            "2026-01-01T00:00:00Z",
            "me",
            "here",
            "fsid",
            strategy,
            WEB,
            other,
            CAPS,
            OldKey(self.old.fingerprint, "aes", self.old.created),
            "aes",
            False,
            NAMES,
            {},
        )
        self.journal = Journal(str(folder / "runs"), "r1")
        self.journal.create(self.plan)
        keep_old_key(self.journal, self.plan, self.old)
        self.world = LightNodes(folder, target, self.plan, asking=ask_cleanly)
        for node in NAMES:
            self.world.keep(node, entity=WEB, pid=hold(target.conf, node, WEB, self.old.key))
        self.world.write_files(NAMES, self.old, False)

    def entity(self, name: str) -> Entity | None:
        [found] = ask_cleanly(self.target, partial(read_entity, name))
        return found  # type: ignore[no-any-return]

    def go(self, direction: Direction, kill_at: int = 0) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "tests.cluster.light",
            str(self.folder),
            direction,
            str(kill_at),
        ]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)

    def check_end(self, direction: Direction) -> None:
        """One key, in use and on disk on all nodes; nothing else of it anywhere; the old one
        refused.
        """
        assert self.old
        name = self.plan.other if (self.plan.strategy, direction) == ("alternate", FORWARD) else WEB
        gone = WEB if name == self.plan.other else self.plan.other
        found = self.entity(name)
        assert found
        assert self.entity(gone) is None
        assert (found.fingerprint == self.old.fingerprint) == (direction == BACK)
        for node in NAMES:
            assert self.world.seen(node).entity == name
            assert self.world.file(node, name) == found.key
            assert self.world.file(node, gone) is None
        plain = LightNodes(self.folder, self.target, self.plan, asking=ask_cleanly)
        plain.lock = None
        sessions = [each for each in plain.sessions() if each.entity in (WEB, self.plan.other)]
        assert sorted(str(each.node) for each in sessions) == sorted(NAMES)
        assert {each.entity for each in sessions} == {name}
        assert self.journal.kept_key() is None
        if direction == FORWARD:
            with pytest.raises(CephctlError, match="refused"):
                hold(self.target.conf, "thief", WEB, self.old.key)

    def end(self) -> None:
        for node in NAMES:
            state = self.world.state(node)
            stop_pid(state["pid"])
            stop_pid(state["old"])
        for name in (WEB, self.plan.other):
            ask_cleanly(self.target, partial(remove_entity, name))
        ask_cleanly(self.target, partial(release, lock_of(self.plan, "here", FORWARD)))


@contextmanager
def rolling(folder: Path, target: Target, strategy: str) -> Iterator[Rolling]:
    made = Rolling(folder, target, strategy)
    try:
        yield made
    finally:
        made.end()


@pytest.fixture
def target(cluster: Cluster) -> Target:
    return Target(
        str(cluster.operator_conf), "client.admin", str(cluster.keyring("client.admin")), None, 10
    )


@pytest.mark.parametrize("strategy", STRATEGIES)
@pytest.mark.parametrize("then", [FORWARD, BACK])
def test_killed_at_a_touch_and_led_to_its_end(
    target: Target, tmp_path: Path, strategy: str, then: Direction
) -> None:
    kills = 0
    for touch in range(1, 500, EVERY):
        folder = tmp_path / str(touch)
        folder.mkdir()
        with rolling(folder, target, strategy) as each:
            killed = each.go(FORWARD, kill_at=touch)
            if killed.returncode == 0:
                break
            assert killed.returncode == -9, killed.stderr
            kills += 1
            done = each.go(then)
            assert done.returncode == 0, (touch, done.stderr)
            each.check_end(then)
    assert kills > 40 / EVERY


@pytest.mark.one
@pytest.mark.parametrize("strategy", STRATEGIES)
def test_killed_again_and_again_both_ways(target: Target, tmp_path: Path, strategy: str) -> None:
    """Some way forward, some way back, and so on; in the end it is led back."""
    with rolling(tmp_path, target, strategy) as each:
        for touch in (6, 12, 18, 24):
            assert each.go(FORWARD, kill_at=touch + 8).returncode == -9
            back = each.go(BACK, kill_at=touch)
            assert back.returncode in (-9, 0), back.stderr
            if back.returncode == 0:
                break
        else:
            done = each.go(BACK)
            assert done.returncode == 0, done.stderr
        each.check_end(BACK)


@pytest.mark.one
def test_the_lock_is_run_into_and_outlives_its_holder_by_a_minute(target: Target) -> None:
    plan = Plan(
        "a",
        "now",
        "anna",
        "one",
        "fsid",
        "overlap",
        "client.x",
        "client.x-next",
        {},
        OldKey("f00", "aes", 1.0),
        "aes",
        False,
        (),
        {},
    )
    mine, theirs = lock_of(plan, "one", FORWARD), lock_of(plan, "two", FORWARD)
    ask_cleanly(target, partial(acquire, mine, False))
    try:
        ask_cleanly(target, partial(held, mine, nothing))
        for question in (
            partial(acquire, theirs, False),
            partial(held, theirs, nothing),
            partial(check_free, theirs),
        ):
            with pytest.raises(LockHeld, match="anna@one") as refused:
                ask_cleanly(target, question)
            assert refused.value.alive
        end = time.monotonic() + LOCK_SECONDS + 20
        while True:
            try:
                [told] = ask_cleanly(target, partial(check_free, theirs))
                break
            except LockHeld:
                assert time.monotonic() < end
                time.sleep(2)
        assert told["run"] == "a"
        with pytest.raises(LockHeld, match="was not finished"):
            ask_cleanly(target, partial(acquire, theirs, False))
        ask_cleanly(target, partial(acquire, theirs, True))
        with pytest.raises(LockHeld):
            ask_cleanly(target, partial(held, mine, nothing))
    finally:
        ask_cleanly(target, partial(release, mine))
        ask_cleanly(target, partial(release, theirs))
    assert ask_cleanly(target, partial(check_free, mine)) == [None]
