"""A line on the terminal that says what a command is doing, and for how long."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from cephctl.text import printable

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID


class LiveLine:
    """The line, on stderr; nothing of it is left when it stops. Not on a terminal, or with `quiet`,
    there is none.
    """

    def __init__(self, quiet: bool) -> None:
        terminal = sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"
        self.quiet = quiet
        self.is_shown = terminal and not quiet
        self.is_replaced = False
        self.progress: Progress | None = None
        self.task: TaskID | None = None

    def tell(self, text: str) -> None:
        """Show what is being done now; the time counts from the first text on."""
        if not self.is_shown or self.is_replaced:
            return
        if self.progress is None:
            self.start()
        if self.progress is not None and self.task is not None:
            self.progress.update(self.task, description=printable(text))

    def start(self) -> None:
        # Slow to import, and most commands are over before.
        from rich.console import Console
        from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

        console = Console(file=sys.stderr, markup=False, emoji=False, highlight=False)
        columns = (
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            TimeElapsedColumn(),
        )
        # rich would put streams of its own in place of sys.stdout and sys.stderr; those say that
        # they are no terminal, and a question would be refused.
        self.progress = Progress(
            *columns,
            console=console,
            transient=True,
            redirect_stdout=False,
            redirect_stderr=False,
        )
        self.task = self.progress.add_task("", total=None)
        self.progress.start()

    def replace(self) -> None:
        """From now on something else says what is being done."""
        self.stop()
        self.is_replaced = True

    def stop(self) -> None:
        """Before anything else is written to the terminal."""
        if self.progress is not None:
            self.progress.stop()
            self.progress = None
