"""What a command needs of the world around it: the configuration, the cluster, the terminal."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import click

from cephctl.config import Config, load
from cephctl.errors import Cancelled, CephctlError, ExitStatus, UsageError
from cephctl.results import Outcome, Proposal, Record, Table
from cephctl.text import printable

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.target import Target
    from cephctl.cli.live import LiveLine
    from cephctl.deps import Deps
    from cephctl.tenants.layout import Tenants

COMPLETION_SECONDS = 1
PATIENCE_SECONDS = 2
"""How long a report over tenants may take before it shows how far it is."""


@dataclass
class App:
    """One run of cephctl. `flags` are the global options that were given, by name."""

    flags: dict[str, Any] = field(default_factory=dict)
    warned: set[str] = field(default_factory=set)

    @cached_property
    def config(self) -> Config:
        flags = self.flags | {"name": self.flags.get("entity")}
        if cluster := flags.get("cluster"):
            flags.setdefault("conf", f"/etc/ceph/{cluster}.conf")
            # Not the configured one, which is another cluster's: Ceph's search list has this one's.
            flags.setdefault("keyring", "")
        return load(flags.get("config"), flags, os.environ)

    @property
    def debug(self) -> bool:
        return bool(self.flags.get("debug"))

    @property
    def dry_run(self) -> bool:
        return bool(self.flags.get("dry_run"))

    @property
    def yes(self) -> bool:
        return bool(self.flags.get("yes"))

    @property
    def columns(self) -> tuple[str, ...]:
        """The fields to show, as --columns names them."""
        names = str(self.flags.get("columns") or "").split(",")
        return tuple(name.strip() for name in names if name.strip())

    @property
    def quiet(self) -> bool:
        return bool(self.flags.get("quiet"))

    @property
    def form(self) -> str:
        return str(self.flags.get("form", "table"))

    # The cluster

    @cached_property
    def target(self) -> Target:
        from cephctl.ceph.target import target_of

        return target_of(self.config, self.flags.get("cluster", "ceph"))

    def ask(self, question: Callable[[Cluster], Generator[Any, None, None]]) -> Iterator[Any]:
        """Ask the cluster in a worker process. The question travels there pickled: a function of a
        module, or a partial.
        """
        from cephctl.ceph.ask import ask

        answers = ask(self.target, question, debug=self.debug)
        # The answer is on its way: time to load what will show it.
        import cephctl.render  # noqa: F401

        return answers

    def ask_tenants(self, question: Callable[[Tenants], Iterator[Any]]) -> Iterator[Any]:
        """Ask with the file system mounted."""
        from cephctl.tenants.layout import with_tenants

        begun = time.monotonic()
        answers = self.ask(partial(with_tenants, self.config["tenants.root"], question))
        for number, answer in enumerate(answers, start=1):
            if time.monotonic() - begun > PATIENCE_SECONDS:
                self.live.tell(f"{number} tenants")
            yield answer

    def quickly(self, question: Callable[[Tenants], Iterator[Any]]) -> list[Any]:
        """An answer for completion, or an error, within a second."""
        from cephctl.ceph.ask import ask_quickly
        from cephctl.tenants.layout import with_tenants

        return list(
            ask_quickly(
                self.target,
                partial(with_tenants, self.config["tenants.root"], question),
                COMPLETION_SECONDS,
            )
        )

    @cached_property
    def deps(self) -> Deps:
        """What is handed down to the logic instead of the application."""
        from cephctl.deps import deps_of

        return deps_of(self.config, self.ask, self.live.tell)

    # The terminal

    @cached_property
    def live(self) -> LiveLine:
        from cephctl.cli.live import LiveLine

        return LiveLine(self.quiet)

    def show(self, value: Any) -> None:
        from cephctl.render import render

        self.live.stop()
        render(value, self.form, sys.stdout, self.colour, self.columns)

    @property
    def colour(self) -> str:
        return (
            "never"
            if os.environ.get("NO_COLOR") and "color" not in self.flags
            else self.flags.get("color", "auto")
        )

    def say(self, text: str, kind: str = "") -> None:
        """One line of conversation, on stderr."""
        self.live.stop()
        click.echo(printable(f"cephctl: {kind + ': ' if kind else ''}{text}"), err=True)

    def warn(self, text: str) -> None:
        if not self.flags.get("quiet"):
            self.say(text, "warning")

    def note(self, text: str) -> None:
        if not self.flags.get("quiet"):
            self.say(text, "note")

    def error(self, error: CephctlError) -> None:
        self.say(error.message, "error")
        if error.hint:
            for line in error.hint.splitlines():
                click.echo(f"  {printable(line)}", err=True)

    def confirm(self, plan: Table[Any] | Record, question: str) -> None:
        """Show on the terminal what will change and ask; without a terminal, --yes is needed."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "confirmation required, but stdin is not a terminal",
                "add --yes; --dry-run shows what would change",
            )
        from cephctl.render import render

        self.live.stop()
        render(plan, "table", sys.stderr, self.colour)
        if not click.confirm(question, err=True):
            raise Cancelled

    def carry_out(self, proposal: Proposal) -> Outcome:
        """Show what would change, ask, and do it. --dry-run shows it only; --yes does not ask."""
        if proposal.refused:
            first = proposal.refused[0].status
            status = first if len(proposal.refused) == 1 else ExitStatus.REFUSED
            return Outcome(None, status, proposal.refused)
        if self.dry_run or proposal.shown is None:
            return proposal.otherwise or Outcome(proposal.shown, notes=proposal.warnings)
        for warning in proposal.warnings:
            self.warn(warning)
        if not self.yes:
            self.confirm(proposal.shown, proposal.question)
        return proposal.execute()
