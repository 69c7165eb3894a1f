"""cephctl cluster"""

from __future__ import annotations

from functools import partial

import click

from cephctl.cli.app import App
from cephctl.cli.options import FAIL_ON, Noun
from cephctl.results import Outcome, Severity, collect, status_of_findings


@click.group("cluster", cls=Noun)
def group() -> None:
    """The Ceph cluster: status, blocklist."""


@group.command()
@FAIL_ON
@click.pass_obj
def status(app: App, fail_on: Severity | None) -> Outcome:
    """Show the cluster on one screen.

    Health, monitors, OSDs, pools with their replication, and file systems. Everything is asked of
    the monitors: it works without a mgr, though usage figures then stand still.
    """
    from cephctl.cluster.status import read_status

    [found] = app.ask(read_status)
    return Outcome(found, status_of_findings(found.findings, fail_on))


@group.group()
def blocklist() -> None:
    """Clients that may not talk to OSDs and MDS."""


@blocklist.command("list")
@click.pass_obj
def list_entries(app: App) -> Outcome:
    """List the entries, with the web node each belongs to."""
    from cephctl.cluster.blocklist import BlocklistEntry, read_blocklist

    return collect(BlocklistEntry, app.ask(partial(read_blocklist, app.config.nodes)))


@blocklist.command(changes=True)
@click.argument("address", metavar="ADDRESS")
@click.option("--force", is_flag=True, help="Also while the client of that address still lives.")
@click.pass_obj
def remove(app: App, address: str, force: bool) -> Outcome:
    """Remove an entry from the blocklist.

    Write ADDRESS as `blocklist list` shows it. A rejected mount does not recover without the entry.
    While its client runs, the entry protects the data from late writes: then the removal is
    refused. Remount instead.
    """
    from cephctl.nodes.clients import propose_removal

    return app.carry_out(propose_removal(app.deps, address, force))
