"""How a run goes on, on stderr: a live table of nodes and phases on a terminal, a line per event elsewhere; and in the system's log."""

from __future__ import annotations

import contextlib
import os
import sys
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING, Any

import click

from cephctl.rotation.record import Note, Plan
from cephctl.rotation.strategies import FORWARD
from cephctl.text import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

PHASES = {"overlap": ("away", "back"), "alternate": ("to",), "in-place": ("to",)}
TITLES = {"away": "TO THE OTHER KEY", "back": "TO THE WANTED KEY", "to": "TO THE WANTED KEY"}
DEV_LOG = "/dev/log"


class Progress:
    """Hears the notes of a run while it is at work."""

    def __init__(self, app: Any, plan: Plan, direction: str) -> None:
        self.quiet = bool(app.flags.get("quiet"))
        self.plan = plan
        self.direction = direction
        self.cells: dict[str, str] = {}
        self.last = ""
        self.live: Live | None = None

    def __enter__(self) -> Progress:
        if sys.stderr.isatty() and not self.quiet and os.environ.get("TERM", "dumb") != "dumb":
            from rich.console import Console
            from rich.live import Live

            console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
            self.live = Live(self.picture(), console=console, auto_refresh=False)
            self.live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.stop()

    def hear(self, note: Note) -> None:
        # Whatever becomes of who is told: the run goes on.
        with contextlib.suppress(OSError, ValueError):
            self.tell(note, printable(told(note)))

    def tell(self, note: Note, line: str) -> None:
        journal(f"run {self.plan.run}: {line}")
        if self.live:
            self.cells[note.step] = cell(note)
            self.last = line
            self.live.update(self.picture(), refresh=True)
        elif not self.quiet:
            at = datetime.fromtimestamp(note.at, UTC).strftime("%H:%M:%SZ")
            click.echo(f"cephctl: {at} {line}", err=True)

    def picture(self) -> Table:
        """Nodes × phases, and the last word below."""
        from rich.table import Table

        phases = PHASES[self.plan.strategy]
        table = Table(box=None, pad_edge=False, caption=self.last, caption_justify="left")
        way = "forward" if self.direction == FORWARD else "back"
        for title in (f"RUN {self.plan.run} ({way})", *(TITLES[phase] for phase in phases)):
            table.add_column(title, no_wrap=True)
        for node in self.plan.nodes:
            table.add_row(node, *(self.cells.get(f"{phase}:{node}", "-") for phase in phases))
        for step, state in self.cells.items():
            if step != "run" and step.partition(":")[0] not in phases:
                table.add_row(step.replace(":", " "), state)
        return table


def cell(note: Note) -> str:
    if note.what == "started":
        return "at work"
    seconds = note.detail.get("seconds") if isinstance(note.detail, dict) else None
    return note.what if seconds is None else f"{note.what} in {seconds:.0f} s"


def told(note: Note) -> str:
    """One note as a line.

    >>> told(Note(0, "back:web-1", "done", {"seconds": 12.3, "gap_ms": 2.9, "instance": "10.0.0.1:0/7"}))
    'back web-1: done in 12 s, at most 2.9 ms without a mount, client 10.0.0.1:0/7'
    """
    detail = note.detail
    words = [f"{note.step.replace(':', ' ')}: {cell(note)}"]
    if isinstance(detail, dict):
        if detail.get("gap_ms") is not None:
            words.append(f"at most {detail['gap_ms']} ms without a mount")
        words += [f"client {detail['instance']}"] if detail.get("instance") else []
        words += [f"evicted {each}" for each in detail.get("evicted", ())]
    elif detail:
        words.append(str(detail))
    return ", ".join(words)


def journal(line: str) -> None:
    """Into journald or syslog, where there is one."""
    if not os.path.exists(DEV_LOG):
        return
    import syslog

    syslog.openlog("cephctl", syslog.LOG_PID, syslog.LOG_USER)
    syslog.syslog(syslog.LOG_NOTICE, line)
