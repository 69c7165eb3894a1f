"""A run's journal survives what interrupts it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cephctl.errors import CephctlError, NotFound, Refused
from cephctl.rotation.journal import Entry, Event, Journal, RunState, journals, state_of
from cephctl.rotation.plan import OldKey, Plan
from cephctl.rotation.steps import StepKind

PLAN = Plan(
    "r1",
    "now",
    "me",
    "here",
    "fsid",
    "overlap",
    "client.web",
    "client.web-next",
    {"mon": "allow r"},
    OldKey("f00", "aes", 1.0),
    "aes",
    False,
    ("a", "b"),
    {},
)


AWAY_A = Entry(1.0, Event.DONE, StepKind.AWAY, "a", seconds=2.0, evicted=("x",))


@pytest.fixture
def journal(tmp_path: Path) -> Journal:
    made = Journal(str(tmp_path / "runs"), "r1")
    made.create(PLAN)
    return made


def test_what_was_written_is_read(journal: Journal) -> None:
    journal.add(AWAY_A)
    assert journal.read() == (PLAN, [AWAY_A])
    assert [each.run for each in journals(journal.directory)] == ["r1"]
    assert os.stat(journal.path).st_mode & 0o777 == 0o600


def test_a_torn_line_was_not_written_and_does_no_harm(journal: Journal) -> None:
    journal.add(AWAY_A)
    with open(journal.path, "a") as file:
        file.write('{"at": 2.0, "st')
    assert [entry.step for entry in journal.entries] == ["away a"]
    journal.add(Entry(3.0, Event.STARTED, StepKind.AWAY, "b"))
    assert [entry.step for entry in journal.entries] == ["away a", "away b"]


def test_nodes_that_were_left_out_later_are_not_in_the_plan(journal: Journal) -> None:
    journal.add(Entry(1.0, Event.SKIPPED, skipped={"a": "broken"}))
    assert (journal.plan.nodes, journal.plan.skipped) == (("b",), {"a": "broken"})


def test_the_old_key_is_its_owners_alone_and_is_destroyed(journal: Journal) -> None:
    journal.keep_key("[client.web]\n")
    assert os.stat(journal.keyring).st_mode & 0o777 == 0o600
    assert journal.kept_key() == b"[client.web]\n"
    assert journal.destroy_key()
    assert journal.kept_key() is None
    assert not journal.destroy_key()


def test_states(journal: Journal) -> None:
    def state(*events: Event) -> RunState:
        steps = (Event.STARTED, Event.DONE)
        entries = [
            Entry(1.0, event, StepKind.AWAY if event in steps else None, "a") for event in events
        ]
        return state_of(journal, entries)

    assert state() == "interrupted"
    assert state(Event.BEGAN, Event.STARTED) == "interrupted"
    assert state(Event.BEGAN, Event.STALLED) == "stalled"
    assert state(Event.BEGAN, Event.STALLED, Event.BEGAN, Event.DONE) == "interrupted"
    assert state(Event.BEGAN, Event.FINISHED) == "finished"
    with journal.alone():
        assert state(Event.BEGAN) == "running"
        with pytest.raises(Refused, match="in progress"), journal.alone():
            pass


def test_a_damaged_journal_is_one_line_with_the_place(journal: Journal) -> None:
    with pytest.raises(NotFound, match="no run r2"):
        Journal(journal.directory, "r2").read()
    good = Path(journal.path).read_text()
    for text, complaint in (
        ("nonsense\n", "line 1: not JSON"),
        ("{}\n", "not a journal of this version"),
        ("", "not a journal of this version"),
        (good.replace('"nodes": ["a", "b"]', '"nodes": 7'), "line 1: nodes: not a list"),
        (good + '{"at": "x", "event": "done"}\n', "line 2: at: not a number"),
        (good + '{"at": 1, "event": "gone"}\n', "line 2: event: not one of began"),
    ):
        Path(journal.path).write_text(text)
        with pytest.raises(CephctlError) as caught:
            journal.read()
        assert caught.value.message.startswith(f"{journal.path}: {complaint}")
    with pytest.raises(CephctlError, match="cannot be written"):
        journal.create(PLAN)
