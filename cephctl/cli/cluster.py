"""cephctl cluster"""

from __future__ import annotations

import click

from cephctl.cli.app import App
from cephctl.cli.options import Noun
from cephctl.cli.verdict import FAIL_ON, status_of_findings
from cephctl.model import Outcome


@click.group("cluster", cls=Noun)
def group() -> None:
    """The Ceph cluster: status."""


@group.command()
@FAIL_ON
@click.pass_obj
def status(app: App, fail_on: str) -> Outcome:
    """Show the cluster on one screen.

    Health, monitors, OSDs, pools with their replication, and file systems. Everything is asked of the monitors: it works without a mgr, though usage figures then stand still.
    """
    from cephctl.status.cluster import read_status

    [found] = app.ask(read_status)
    return Outcome(found, status_of_findings(found.findings, fail_on))
