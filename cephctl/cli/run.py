"""cephctl run"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import click

from cephctl.cli.app import App
from cephctl.cli.options import Noun, complete_runs
from cephctl.errors import UsageError
from cephctl.results import Column, Kind, Outcome, Record, Table
from cephctl.rotation.record import Note, Recorder, recorders, state_of

RUN = click.argument("run", metavar="RUN", shell_complete=complete_runs)
SKIP = click.option(
    "--skip", multiple=True, metavar="NODE", help="Leave this node out; may be repeated."
)
REASON = click.option(
    "--reason", metavar="TEXT", help="Why nodes are left out; it goes into the record."
)


@dataclass(frozen=True)
class RunRow(Record):
    """A run of this machine, and where it stands."""

    run: str
    state: str
    entity: str
    strategy: str
    nodes: tuple[str, ...]
    operator: str
    began: datetime
    last: str

    columns = (
        Column("run", "RUN"),
        Column("state", "STATE"),
        Column("entity", "ENTITY"),
        Column("strategy", "STRATEGY"),
        Column("began", "BEGAN", Kind.AGO),
        Column("operator", "OPERATOR"),
        Column("last", "LAST STEP"),
    )


@dataclass(frozen=True)
class NoteRow(Record):
    """One line of a run's record."""

    at: datetime
    step: str
    what: str
    detail: Any

    columns = (
        Column("at", "AT", Kind.TIME),
        Column("step", "STEP"),
        Column("what", "WHAT"),
        Column("shown", "DETAIL"),
    )

    @property
    def shown(self) -> str:
        from cephctl.cli.progress import told

        if self.what == "started":
            return ""
        return (
            told(Note(0, "", self.what, self.detail))
            .partition(": ")[2]
            .removeprefix(self.what)
            .lstrip(", ")
        )


@dataclass(frozen=True)
class RunShown(Record):
    """A run with all that happened. `old_key` is the fingerprint of the key it set out from; `kept` where that key is kept."""

    run: str
    state: str
    entity: str
    other: str
    strategy: str
    nodes: tuple[str, ...]
    skipped: tuple[str, ...]
    operator: str
    host: str
    began: str
    old_key: str
    kept: str | None
    notes: tuple[NoteRow, ...]

    columns = (
        Column("run", "RUN"),
        Column("state", "STATE"),
        Column("entity", "ENTITY"),
        Column("strategy", "STRATEGY"),
        Column("nodes", "NODES"),
        Column("skipped", "SKIPPED"),
        Column("operator", "OPERATOR"),
        Column("host", "HOST"),
        Column("began", "BEGAN"),
        Column("old_key", "OLD KEY"),
        Column("kept", "KEPT AT"),
    )
    sections = (("notes", NoteRow),)


@click.group("run", cls=Noun)
def group() -> None:
    """Rolling changes that are under way, or were interrupted."""


@group.command("list")
@click.pass_obj
def list_runs(app: App) -> Outcome:
    """List the runs of this machine, the oldest first."""
    directory = app.config["runs.directory"]
    rows = tuple(row(each) for each in recorders(directory))
    return Outcome(Table(RunRow, rows), notes=() if rows else (f"no runs in {directory}",))


@group.command()
@RUN
@click.pass_obj
def show(app: App, run: str) -> RunShown:
    """Show one run: where it stands, and all that happened."""
    recorder = found(app, run)
    plan, notes = recorder.read()
    return RunShown(
        plan.run,
        state_of(recorder, notes),
        plan.entity,
        plan.other,
        plan.strategy,
        plan.nodes,
        tuple(f"{node}: {reason}" for node, reason in plan.skipped.items()),
        plan.operator,
        plan.host,
        plan.began,
        plan.old["fingerprint"],
        recorder.keyring if recorder.kept_key() else None,
        tuple(NoteRow(moment(note.at), note.step, note.what, note.detail) for note in notes),
    )


@group.command(changes=True)
@RUN
@SKIP
@REASON
@click.pass_obj
def resume(app: App, run: str, skip: tuple[str, ...], reason: str | None) -> Outcome:
    """Go on with a run that stalled or was interrupted, the way it was on.

    It looks at the cluster and the nodes, not at what it remembers: what is done already is left alone.
    """
    from cephctl.cli.rotate import again
    from cephctl.rotation.run import direction_of

    recorder = found(app, run)
    return again(app, recorder, direction_of(recorder.notes), reasons(skip, reason))


@group.command(changes=True)
@RUN
@SKIP
@REASON
@click.pass_obj
def rollback(app: App, run: str, skip: tuple[str, ...], reason: str | None) -> Outcome:
    """Lead everything back to the old key, node by node, with the same care.

    The old key is kept on this machine, in the directory of records, until the run has ended.
    """
    from cephctl.cli.rotate import again
    from cephctl.rotation.strategies import BACK

    return again(app, found(app, run), BACK, reasons(skip, reason))


@group.command(changes=True)
@RUN
@click.option("--force", is_flag=True, help="Also when it is half-way; what it has begun stays so.")
@click.pass_obj
def abort(app: App, run: str, force: bool) -> Outcome:
    """Give a run up where it is.

    Nothing is changed but the record and the lock, and the old key that was kept is destroyed. Refused for a run that is half-way:
    resume it, or roll it back.
    """
    from cephctl.cli.rotate import give_up

    recorder = found(app, run)
    if app.dry_run:
        return Outcome(None, notes=(f"would give up run {recorder.run}",))
    if not app.yes:
        app.confirm(Table(RunRow, (row(recorder),)), f"Give up run {recorder.run}?")
    return give_up(app, recorder, force)


def reasons(skip: tuple[str, ...], reason: str | None) -> dict[str, str]:
    """Nodes left out, each with the reason, which must be given."""
    if skip and not reason:
        raise UsageError(
            "nodes are left out for a reason, which goes into the record", "add --reason TEXT"
        )
    return dict.fromkeys(skip, reason or "")


def found(app: App, run: str) -> Recorder:
    recorder = Recorder(app.config["runs.directory"], run)
    recorder.read()
    return recorder


def row(recorder: Recorder) -> RunRow:
    plan, notes = recorder.read()
    last = next((f"{note.step} {note.what}" for note in reversed(notes) if note.step != "run"), "-")
    began = datetime.strptime(plan.began, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return RunRow(
        plan.run,
        state_of(recorder, notes),
        plan.entity,
        plan.strategy,
        plan.nodes,
        f"{plan.operator}@{plan.host}",
        began,
        last,
    )


def moment(at: float) -> datetime:
    return datetime.fromtimestamp(at, UTC)
