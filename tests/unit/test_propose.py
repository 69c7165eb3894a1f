"""Ways to go on with a run, over a cluster in memory: abort, resume, take over; and what is
refused.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cephctl.ceph.keys import Entity, entity_of
from cephctl.ceph.lock import LockHeld, RunLock
from cephctl.cephx import new_key
from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.errors import Refused, UsageError
from cephctl.rotation import propose
from cephctl.rotation.abort import abort
from cephctl.rotation.journal import Entry, Event, Journal, state_of
from cephctl.rotation.plan import BACK, FORWARD, Direction, OldKey, Plan
from cephctl.rotation.preflight import Request
from cephctl.rotation.run import Listen, lock_of
from cephctl.site import Site

WEB, OTHER = "client.web", "client.web-next"
CAPS = {"mon": "allow r"}
SITE = Site("/mnt", "/", WEB, "", "", None, None)


class Cluster:
    """Answers the questions of a rotation by their functions' names; keeps entities and the lock's
    content.
    """

    def __init__(self) -> None:
        self.fsid = "fsid-1"
        self.entities: dict[str, Entity] = {}
        self.lock: str | None = None
        self.asked: list[str] = []

    def ask(self, question: Any) -> Iterator[Any]:
        function, arguments = question, ()
        if isinstance(question, partial):
            function, arguments = question.func, question.args
        self.asked.append(function.__name__)
        return iter([getattr(self, function.__name__)(*arguments)])

    def held(self, lock: RunLock, question: Any) -> Any:
        assert self.lock == lock.content
        return next(self.ask(question))

    def fsid_of(self) -> str:
        return self.fsid

    def read_entity(self, name: str) -> Entity | None:
        return self.entities.get(name)

    def read_sessions(self, *_: Any) -> list[Any]:
        return []

    def import_entity(self, name: str, key: str, caps: dict[str, str]) -> None:
        self.entities[name] = made(name, key)

    def check_free(self, lock: RunLock) -> Any:
        return json.loads(self.lock) if self.lock else None

    def acquire(self, lock: RunLock, take_over: bool) -> None:
        assert take_over or not self.lock
        self.lock = lock.content

    def release(self, lock: RunLock) -> None:
        if self.lock and json.loads(self.lock)["run"] == json.loads(lock.content)["run"]:
            self.lock = None


def made(name: str, key: str) -> Entity:
    return entity_of({"entity": name, "caps": CAPS, "key": key})


class Case:
    """A run that was interrupted on this machine, or on another."""

    def __init__(self, folder: Path, host: str = "here") -> None:
        self.cluster = Cluster()
        self.old = made(WEB, new_key("aes", 10.0))
        self.cluster.entities[WEB] = self.old
        self.deps = Deps(
            ask=self.cluster.ask,
            ask_nodes=self.no_nodes,
            haproxy=None,
            site=SITE,
            nodes=(Node("web-1", "10.0.0.1", "a"),),
            operator_entity="client.admin",
            runs=str(folder / "runs"),
            seconds=5,
        )
        self.plan = Plan(
            "r1",
            "2026-01-01T00:00:00Z",
            "anna",
            host,
            "fsid-1",
            "overlap",
            WEB,
            OTHER,
            CAPS,
            OldKey(self.old.fingerprint, "aes", self.old.created),
            "aes",
            False,
            ("web-1",),
            {},
        )
        self.journal = Journal(self.deps.runs, "r1")

    def interrupted(self) -> Case:
        self.journal.create(self.plan)
        self.journal.keep_key("[client.web]\n")
        self.journal.add(Entry(time.time(), Event.BEGAN, direction=FORWARD))
        self.journal.add(Entry(time.time(), Event.INTERRUPTED))
        return self

    @staticmethod
    def no_nodes(nodes: Sequence[Node], question: Any) -> Any:
        raise AssertionError("no node is to be asked")


def unseen(plan: Plan, direction: Direction) -> AbstractContextManager[Listen]:
    return nullcontext(lambda entry: None)


def test_abort_ends_a_run_that_has_applied_nothing(tmp_path: Path) -> None:
    case = Case(tmp_path).interrupted()
    case.cluster.lock = lock_of(case.plan, "here", FORWARD).content
    proposal = abort(case.deps, case.journal, force=False)
    assert not proposal.refused
    outcome = proposal.execute()
    assert outcome.notes == ("run r1 is aborted",)
    assert state_of(case.journal, case.journal.entries) == "aborted"
    assert case.journal.kept_key() is None
    assert case.cluster.lock is None
    with pytest.raises(Refused, match="run r1 is aborted; nothing to abort"):
        abort(case.deps, case.journal, force=False)


@pytest.mark.parametrize("what", ["the other entity exists", "the key is another"])
def test_abort_refuses_what_is_partially_applied_unless_forced(tmp_path: Path, what: str) -> None:
    case = Case(tmp_path).interrupted()
    if what == "the other entity exists":
        case.cluster.entities[OTHER] = made(OTHER, new_key("aes", 20.0))
    else:
        case.cluster.entities[WEB] = made(WEB, new_key("aes", 20.0))
    [refused] = abort(case.deps, case.journal, force=False).refused
    assert "run r1 is partially applied" in refused.message
    assert "cephctl run resume r1" in str(refused.hint)
    forced = abort(case.deps, case.journal, force=True)
    assert not forced.refused
    forced.execute()
    assert case.journal.entries[-1].text == "forced"


def test_a_run_is_not_resumed_against_another_cluster(tmp_path: Path) -> None:
    case = Case(tmp_path).interrupted()
    case.cluster.fsid = "fsid-2"
    for direction in (FORWARD, BACK):
        with pytest.raises(Refused, match="run r1 belongs to cluster fsid-1; connected to fsid-2"):
            propose.resume(case.deps, case.journal, direction, {}, unseen)
    assert set(case.cluster.asked) == {"fsid_of"}


def test_a_node_that_is_not_of_the_run_cannot_be_skipped(tmp_path: Path) -> None:
    case = Case(tmp_path).interrupted()
    with pytest.raises(UsageError, match="node web-9 is not part of run r1"):
        propose.resume(case.deps, case.journal, FORWARD, {"web-9": "gone"}, unseen)


def test_an_unfinished_run_of_this_machine_comes_first(tmp_path: Path) -> None:
    case = Case(tmp_path).interrupted()
    with pytest.raises(Refused, match="run r1 of anna@here") as refused:
        propose.rotate(case.deps, Request(WEB, "overlap"), False, unseen)
    assert "cephctl run resume r1" in str(refused.value.hint)


def test_break_lock_takes_over_the_run_of_a_lost_machine(tmp_path: Path) -> None:
    case = Case(tmp_path, host="elsewhere")
    case.cluster.lock = lock_of(case.plan, "elsewhere", FORWARD).content
    request = Request(WEB, "overlap")
    with pytest.raises(LockHeld, match="run r1 of anna@elsewhere") as held:
        propose.rotate(case.deps, request, False, unseen)
    assert "--break-lock" in str(held.value.hint)
    proposal = propose.rotate(case.deps, request, True, unseen)
    assert proposal.warnings == (
        "taking over run r1 of anna@elsewhere, begun 2026-01-01T00:00:00Z",
    )
    assert "Take over run r1 from elsewhere?" in proposal.question
    assert not case.journal.exists, "nothing is done before the answer"
    # The run begins: it looks at the first node, which is not there.
    with pytest.raises(AssertionError, match="no node is to be asked"):
        proposal.execute()
    assert case.cluster.asked.count("acquire") == 1, "the lock is taken once"
    assert case.journal.plan == case.plan
    assert case.cluster.lock
    assert json.loads(case.cluster.lock)["host"] != "elsewhere"


def test_a_lock_without_a_plan_is_not_taken_over(tmp_path: Path) -> None:
    case = Case(tmp_path, host="elsewhere")
    case.cluster.lock = json.dumps({"run": "r1", "host": "elsewhere", "plan": {"run": 7}})
    with pytest.raises(Exception, match=r"plan\.run: not a string"):
        propose.rotate(case.deps, Request(WEB, "overlap"), True, unseen)
