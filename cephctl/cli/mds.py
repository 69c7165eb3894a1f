"""cephctl mds"""

from __future__ import annotations

from functools import partial

import click

from cephctl.cli.app import App
from cephctl.cli.options import FAIL_ON, NODES, Noun, complete_nodes
from cephctl.results import Outcome, Severity, collect


@click.group("mds", cls=Noun)
def group() -> None:
    """Metadata servers: status, client sessions, eviction, failover."""


@group.command()
@FAIL_ON
@click.pass_obj
def status(app: App, fail_on: Severity | None) -> Outcome:
    """Show ranks, standbys and what is wrong.

    It is read from the monitors, so it works without a mgr and with a hanging MDS; only CLIENTS is
    asked of the MDS.
    """
    from cephctl.cluster.mds import status_as_asked

    return status_as_asked(app.ask, fail_on)


@group.command()
@NODES
@click.pass_obj
def sessions(app: App, nodes: tuple[str, ...]) -> Outcome:
    """Show client sessions.

    All, or those of the NODEs named. NODE is the web node of the inventory that the client's
    address belongs to. ADDRESS is the client instance: the same name stands in the node's debugfs
    and in the cluster's blocklist.
    """
    from cephctl.cluster.sessions import MdsSession, read_sessions

    app.config.check_nodes(nodes)
    return collect(MdsSession, app.ask(partial(read_sessions, app.config.nodes, nodes)))


@group.command(changes=True)
@click.argument("client", metavar="NODE|ID", shell_complete=complete_nodes)
@click.pass_obj
def evict(app: App, client: str) -> Outcome:
    """Evict one client: end its session.

    Name a web node, or a client by its ID; more than one client is refused. An evicted client is on
    the blocklist for an hour. Its mount returns EACCES until it is remounted (`cephctl node
    remount`). Data that it has not written yet is lost.
    """
    from cephctl.cluster.evict import propose

    if not client.isdigit():
        app.config.check_nodes([client])
    return app.carry_out(propose(app.deps, client))


@group.command(changes=True)
@click.argument("mds", metavar="MDS|RANK")
@click.option(
    "--force",
    is_flag=True,
    help=(
        "Fail it without a standby, or even when Ceph refuses because of MDS_TRIM or "
        "MDS_CACHE_OVERSIZED."
    ),
)
@click.pass_obj
def fail(app: App, mds: str, force: bool) -> Outcome:
    """Fail over a rank to a standby MDS, and wait until it is active.

    All clients wait meanwhile, usually some seconds. A client that does not reconnect within 45 s
    is evicted.
    """
    from cephctl.cluster.failover import propose

    return app.carry_out(propose(app.deps, mds, force))
