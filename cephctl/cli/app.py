"""What a command needs of the world around it: the configuration, the cluster, the terminal."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

import click

from cephctl.config import Config, load
from cephctl.errors import CephctlError, ExitStatus, Interrupted, UsageError, status_of_failures
from cephctl.results import Outcome, Record, Table
from cephctl.text import printable

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.target import Target
    from cephctl.deps import Deps
    from cephctl.tenants.layout import Tenants

COMPLETION_SECONDS = 1


@dataclass
class App:
    """One run of cephctl. `flags` are the global options that were given, by name."""

    flags: dict[str, Any] = field(default_factory=dict)

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
    def form(self) -> str:
        return str(self.flags.get("form", "table"))

    # The cluster

    @cached_property
    def target(self) -> Target:
        from cephctl.ceph.target import Target

        config = self.config
        return Target(
            conf=config["ceph.conf"],
            entity=config["ceph.name"],
            keyring=config["ceph.keyring"] or None,
            filesystem=config["ceph.filesystem"] or None,
            timeout=config["ceph.timeout"],
            cluster=self.flags.get("cluster", "ceph"),
        )

    def ask(self, question: Callable[[Cluster], Generator[Any, None, None]]) -> Iterator[Any]:
        """Ask the cluster in a worker process. The question travels there pickled: a function of a module, or a partial."""
        from cephctl.ceph.ask import ask

        answers = ask(self.target, question, debug=self.debug)
        # The answer is on its way: time to load what will show it.
        import cephctl.render  # noqa: F401

        return answers

    def ask_tenants(self, question: Callable[[Tenants], Iterator[Any]]) -> Iterator[Any]:
        """Ask with the file system mounted."""
        from cephctl.tenants.layout import with_tenants

        return self.ask(partial(with_tenants, self.config["tenants.root"], question))

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
        from cephctl.deps import Deps
        from cephctl.haproxy import HAProxy
        from cephctl.site import site_of
        from cephctl.ssh.hosts import ask_all

        config = self.config
        site, socket = site_of(config), config["haproxy.socket"]
        return Deps(
            ask=self.ask,
            ask_nodes=partial(ask_all, config=site.ssh_config),
            haproxy=HAProxy(socket, config["haproxy.backend"] or None) if socket else None,
            site=site,
            nodes=config.nodes,
            operator_entity=config["ceph.name"],
            runs=config["runs.directory"],
            seconds=config["ssh.timeout"],
        )

    # The terminal

    def show(self, value: Any) -> None:
        from cephctl.render import render

        render(value, self.form, sys.stdout, self.colour)

    @property
    def colour(self) -> str:
        return (
            "never"
            if os.environ.get("NO_COLOR") and "color" not in self.flags
            else self.flags.get("color", "auto")
        )

    def say(self, text: str, kind: str = "") -> None:
        """One line of conversation, on stderr."""
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

    def confirm(self, plan: Table[Record], question: str) -> None:
        """Show on the terminal what will change and ask; without a terminal, --yes is needed."""
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise UsageError(
                "this changes something, and there is no terminal to ask on",
                "add --yes, or --dry-run to see what it would do",
            )
        from cephctl.render import render

        render(plan, "table", sys.stderr, self.colour)
        click.confirm(question, abort=True, err=True)


def table(kind: type[Record], answers: Iterator[Any], *notes: str) -> Outcome:
    """Collect rows; names that failed are errors beside them. All failed is an error, some is PARTIAL.

    Should the cluster fall silent half-way, or somebody interrupt, what came before is still the answer.
    """
    rows: list[Record] = []
    errors: list[CephctlError] = []
    try:
        for answer in answers:
            (errors if isinstance(answer, CephctlError) else rows).append(answer)
    except CephctlError as error:
        if not rows:
            raise
        errors.append(error)
    if errors and not rows:
        return Outcome(None, errors[0].status, tuple(errors))
    status = status_of_failures(len(errors), len(rows) + len(errors))
    if any(isinstance(error, Interrupted) for error in errors):
        status = ExitStatus.INTERRUPTED
    return Outcome(Table(kind, tuple(rows)), status, tuple(errors), notes)
