"""cephctl cluster"""

from __future__ import annotations

from functools import partial

import click

from cephctl.cli.app import App, table
from cephctl.cli.options import FAIL_ON, Noun, status_of_findings
from cephctl.results import Outcome, Table


@click.group("cluster", cls=Noun)
def group() -> None:
    """The Ceph cluster: status, blocklist."""


@group.command()
@FAIL_ON
@click.pass_obj
def status(app: App, fail_on: str) -> Outcome:
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

    return table(BlocklistEntry, app.ask(partial(read_blocklist, app.config.nodes)))


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
    from cephctl.cluster.blocklist import BlocklistEntry, find_entry, remove
    from cephctl.nodes.clients import refuse_if_running

    [entry] = app.ask(partial(find_entry, address, app.config.nodes))
    plan = Table(BlocklistEntry, (entry,))
    node = next((node for node in app.config.nodes if node.name == entry.node), None)
    if node and not entry.range and not force:
        refuse_if_running(app.deps, node, address)
    if app.dry_run:
        return Outcome(plan)
    if not app.yes:
        app.confirm(plan, f"Remove {address} from the blocklist?")
    return Outcome(Table(BlocklistEntry, tuple(app.ask(partial(remove, entry)))))
