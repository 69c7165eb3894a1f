"""cephctl mds"""

from __future__ import annotations

from functools import partial

import click

from cephctl.cli.app import App, table
from cephctl.cli.options import NODES, Noun
from cephctl.cli.verdict import FAIL_ON, status_of_findings
from cephctl.errors import CephctlError
from cephctl.model import Outcome


@click.group("mds", cls=Noun)
def group() -> None:
    """Metadata servers: status and client sessions."""


@group.command()
@FAIL_ON
@click.pass_obj
def status(app: App, fail_on: str) -> Outcome:
    """Show ranks, standbys and what is wrong.

    It is read from the monitors, so it works without a mgr and with a hanging MDS; only CLIENTS is asked of the MDS.
    """
    from cephctl.status.mds import MdsStatus, read_status, with_clients

    shown: MdsStatus | None = None
    clients: dict[str, int] = {}
    errors: tuple[CephctlError, ...] = ()
    try:
        for answer in app.ask(read_status):
            if isinstance(answer, MdsStatus):
                shown = answer
            else:
                clients |= [answer]
    except CephctlError as error:
        if shown is None:
            raise
        errors = (error,)
    assert shown is not None
    code = errors[0].status if errors else status_of_findings(shown.findings, fail_on)
    return Outcome(with_clients(shown, clients), code, errors)


@group.command()
@NODES
@click.pass_obj
def sessions(app: App, nodes: tuple[str, ...]) -> Outcome:
    """Show client sessions.

    All, or those of the NODEs named. NODE is the web node of the inventory that the client's address belongs to. ADDRESS is the client instance: the same
    name stands in the node's debugfs and in the cluster's blocklist.
    """
    from cephctl.status.sessions import MdsSession, read_sessions

    app.config.check_nodes(nodes)
    return table(MdsSession, app.ask(partial(read_sessions, app.config.nodes, nodes)))
