"""The line that says what is being done: on a terminal, and in nobody's way."""

from __future__ import annotations

import contextlib
import os
import pty
import select
import sys
from collections.abc import Iterator

import pytest

from cephctl.cli.live import LiveLine


@contextlib.contextmanager
def terminal(monkeypatch: pytest.MonkeyPatch, kind: str = "xterm") -> Iterator[int]:
    """stderr is a terminal; the end where a person would sit."""
    controller, device = pty.openpty()
    with open(device, "w", encoding="utf-8") as stream, monkeypatch.context() as patched:
        patched.setenv("TERM", kind)
        patched.setattr(sys, "stderr", stream)
        yield controller
    os.close(controller)


def shown(controller: int) -> bytes:
    """What the terminal was told until now."""
    told = b""
    while select.select([controller], [], [], 0.2)[0]:
        told += os.read(controller, 65536)
    return told


def test_a_question_can_be_asked_while_the_line_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as controller:
        streams = sys.stdout, sys.stderr
        live = LiveLine(quiet=False)
        live.tell("examining web-1-node-0")
        assert (sys.stdout, sys.stderr) == streams
        assert sys.stderr.isatty()
        live.stop()
        assert b"examining web-1-node-0" in shown(controller)


@pytest.mark.parametrize(("kind", "quiet"), [("xterm", True), ("dumb", False)])
def test_no_line_for_who_is_quiet_or_on_a_simple_terminal(
    monkeypatch: pytest.MonkeyPatch, kind: str, quiet: bool
) -> None:
    with terminal(monkeypatch, kind) as controller:
        live = LiveLine(quiet)
        live.tell("examining web-1-node-0")
        live.stop()
        assert shown(controller) == b""


def test_a_run_shows_its_own_progress_in_its_place(monkeypatch: pytest.MonkeyPatch) -> None:
    with terminal(monkeypatch) as controller:
        live = LiveLine(quiet=False)
        live.tell("examining 3 nodes")
        live.replace()
        shown(controller)
        live.tell("examining web-1-node-0")
        assert shown(controller) == b""
