"""The progress of a run on stderr: a live table on a terminal, a line per entry elsewhere; and in
the system's log.
"""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from types import TracebackType
from typing import TYPE_CHECKING

import click

from cephctl.cli.live import LiveLine
from cephctl.rotation.journal import Entry
from cephctl.rotation.plan import Direction, Plan
from cephctl.rotation.steps import StepKind
from cephctl.system_log import write
from cephctl.text import printable

if TYPE_CHECKING:
    from rich.live import Live
    from rich.table import Table

PHASES = {
    "overlap": (StepKind.AWAY, StepKind.BACK),
    "alternate": (StepKind.TO,),
    "in-place": (StepKind.TO,),
}
TITLES = {
    StepKind.AWAY: "TO THE OTHER KEY",
    StepKind.BACK: "TO THE WANTED KEY",
    StepKind.TO: "TO THE WANTED KEY",
}


def watch(line: LiveLine) -> Callable[[Plan, Direction], Progress]:
    """Makes the progress of a run, in place of the line; if that is quiet, only the system's log
    hears of it.
    """
    return lambda plan, direction: Progress(plan, direction, line)


class Progress:
    """Hears the entries of a run while it is in progress."""

    def __init__(self, plan: Plan, direction: Direction, line: LiveLine) -> None:
        self.line = line
        self.plan = plan
        self.direction = direction
        self.cells: dict[tuple[StepKind, str], str] = {}
        self.last = ""
        self.live: Live | None = None

    def __enter__(self) -> Callable[[Entry], None]:
        self.line.replace()
        if self.line.is_shown:
            from rich.console import Console
            from rich.live import Live

            console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
            self.live = Live(self.picture(), console=console, auto_refresh=False)
            self.live.start()
        return self.hear

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self.live:
            self.live.stop()

    def hear(self, entry: Entry) -> None:
        # Whatever becomes of the terminal: the run continues.
        with contextlib.suppress(OSError, ValueError):
            self.tell(entry, printable(str(entry)))

    def tell(self, entry: Entry, line: str) -> None:
        write(f"run {self.plan.run}: {line}")
        if self.live:
            if entry.kind:
                self.cells[entry.kind, entry.subject] = entry.state
            self.last = line
            self.live.update(self.picture(), refresh=True)
        elif not self.line.quiet:
            at = datetime.fromtimestamp(entry.at, UTC).strftime("%H:%M:%SZ")
            click.echo(f"cephctl: {at} {line}", err=True)

    def picture(self) -> Table:
        """Nodes × phases, then the other steps, and the last entry below."""
        from rich.table import Table

        phases = PHASES[self.plan.strategy]
        table = Table(box=None, pad_edge=False, caption=self.last, caption_justify="left")
        titles = (TITLES[phase] for phase in phases)
        for title in (f"RUN {self.plan.run} ({self.direction})", *titles):
            table.add_column(title, no_wrap=True)
        for node in self.plan.nodes:
            table.add_row(node, *(self.cells.get((phase, node), "-") for phase in phases))
        for (kind, subject), state in self.cells.items():
            if kind not in phases:
                table.add_row(f"{kind} {subject}", state)
        return table
