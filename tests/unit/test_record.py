"""A run's record survives what cuts it off."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cephctl.errors import CephctlError, NotFound, Refused
from cephctl.rotation.record import Note, Plan, Recorder, recorders, state_of

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
    {},
    "aes",
    False,
    ("a", "b"),
    {},
)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    made = Recorder(str(tmp_path / "runs"), "r1")
    made.create(PLAN)
    return made


def test_what_was_noted_is_read(recorder: Recorder) -> None:
    recorder.note(Note(1.0, "away:a", "done", {"seconds": 2.0}))
    assert recorder.read() == (PLAN, [Note(1.0, "away:a", "done", {"seconds": 2.0})])
    assert [each.run for each in recorders(recorder.directory)] == ["r1"]
    assert os.stat(recorder.path).st_mode & 0o777 == 0o600


def test_a_torn_line_was_not_written_and_is_in_nobodys_way(recorder: Recorder) -> None:
    recorder.note(Note(1.0, "away:a", "done"))
    with open(recorder.path, "a") as file:
        file.write('{"at": 2.0, "st')
    assert [note.step for note in recorder.notes] == ["away:a"]
    recorder.note(Note(3.0, "away:b", "started"))
    assert [note.step for note in recorder.notes] == ["away:a", "away:b"]


def test_the_old_key_is_its_owners_alone_and_is_destroyed(recorder: Recorder) -> None:
    recorder.keep_key("[client.web]\n")
    assert os.stat(recorder.keyring).st_mode & 0o777 == 0o600
    assert recorder.kept_key() == b"[client.web]\n"
    assert recorder.destroy_key()
    assert recorder.kept_key() is None
    assert not recorder.destroy_key()


def test_states(recorder: Recorder) -> None:
    def state(*notes: tuple[str, str]) -> str:
        return state_of(recorder, [Note(1.0, *note) for note in notes])

    began = ("run", "began")
    assert state() == "interrupted"
    assert state(began, ("away:a", "started")) == "interrupted"
    assert state(began, ("run", "stalled")) == "stalled"
    assert state(began, ("run", "stalled"), began, ("away:a", "done")) == "interrupted"
    assert state(began, ("run", "finished")) == "finished"
    with recorder.alone():
        assert state(began) == "running"
        with pytest.raises(Refused, match="at work"), recorder.alone():
            pass


def test_what_is_no_record_is_said(recorder: Recorder) -> None:
    with pytest.raises(NotFound, match="no run r2"):
        Recorder(recorder.directory, "r2").read()
    Path(recorder.path).write_text("nonsense\n")
    with pytest.raises(CephctlError, match="no record of a run"):
        recorder.read()
    with pytest.raises(CephctlError, match="cannot be written"):
        recorder.create(PLAN)
