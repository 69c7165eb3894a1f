"""cephctl run"""

from __future__ import annotations

import click

from cephctl.cli.app import App
from cephctl.cli.options import REASON, SKIP_NODES, Noun, complete_runs
from cephctl.cli.progress import watch
from cephctl.results import Outcome, Table
from cephctl.rotation.journal import Journal, direction_of
from cephctl.rotation.plan import BACK, reasons
from cephctl.rotation.runs import RunDetail, RunRow, show_run
from cephctl.rotation.runs import list_runs as listed

RUN = click.argument("run", metavar="RUN", shell_complete=complete_runs)


@click.group("run", cls=Noun)
def group() -> None:
    """Rotations: their journals, and how to continue or end them."""


@group.command("list")
@click.pass_obj
def list_runs(app: App) -> Outcome:
    """List the runs of this machine, the oldest first."""
    rows = listed(app.deps.runs)
    return Outcome(Table(RunRow, rows), notes=() if rows else (f"no runs in {app.deps.runs}",))


@group.command()
@RUN
@click.pass_obj
def show(app: App, run: str) -> RunDetail:
    """Show one run: where it stands, and its journal."""
    return show_run(existing(app, run))


@group.command(changes=True)
@RUN
@SKIP_NODES
@REASON
@click.pass_obj
def resume(app: App, run: str, skip: tuple[str, ...], reason: str | None) -> Outcome:
    """Continue a run that stalled or was interrupted, in its last direction.

    It examines the current state of cluster and nodes; steps that are done already are left alone.
    """
    from cephctl.rotation import propose

    journal = existing(app, run)
    direction = direction_of(journal.entries)
    skipped = reasons(skip, reason)
    return app.carry_out(propose.resume(app.deps, journal, direction, skipped, watch(app.live)))


@group.command(changes=True)
@RUN
@SKIP_NODES
@REASON
@click.pass_obj
def rollback(app: App, run: str, skip: tuple[str, ...], reason: str | None) -> Outcome:
    """Restore the old key on all nodes, node by node, with the same care.

    The old key is kept on this machine, in the directory of journals, until the run has ended.
    """
    from cephctl.rotation import propose

    skipped = reasons(skip, reason)
    return app.carry_out(
        propose.resume(app.deps, existing(app, run), BACK, skipped, watch(app.live))
    )


@group.command("abort", changes=True)
@RUN
@click.option(
    "--force",
    is_flag=True,
    help="Abort even if partially applied; leaves nodes and cluster as they are.",
)
@click.pass_obj
def abort_run(app: App, run: str, force: bool) -> Outcome:
    """Abort a run.

    Only the journal and the lock change, and the old key that was kept is destroyed. A run that is
    partially applied is refused: resume it, or roll it back.
    """
    from cephctl.rotation.abort import abort

    return app.carry_out(abort(app.deps, existing(app, run), force))


def existing(app: App, run: str) -> Journal:
    journal = Journal(app.deps.runs, run)
    journal.read()
    return journal
