"""cephctl mds"""

from __future__ import annotations

from functools import partial

import click

from cephctl.cli.app import App, table
from cephctl.cli.options import FAIL_ON, NODES, Noun, complete_nodes, status_of_findings
from cephctl.errors import CephctlError, Refused
from cephctl.results import Outcome, Table


@click.group("mds", cls=Noun)
def group() -> None:
    """Metadata servers: status, client sessions, eviction, failover."""


@group.command()
@FAIL_ON
@click.pass_obj
def status(app: App, fail_on: str) -> Outcome:
    """Show ranks, standbys and what is wrong.

    It is read from the monitors, so it works without a mgr and with a hanging MDS; only CLIENTS is asked of the MDS.
    """
    from cephctl.cluster.mds import MdsStatus, read_status, with_clients

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
    from cephctl.cluster.sessions import MdsSession, read_sessions

    app.config.check_nodes(nodes)
    return table(MdsSession, app.ask(partial(read_sessions, app.config.nodes, nodes)))


@group.command(changes=True)
@click.argument("client", metavar="NODE|ID", shell_complete=complete_nodes)
@click.pass_obj
def evict(app: App, client: str) -> Outcome:
    """End one client's session.

    The one of a web node, or of the client with this ID; exactly one client, or nothing is done. An evicted client goes on the
    blocklist for an hour, and its mount says Permission denied for ever after: `cephctl node remount` brings it back. Data that it has not
    written yet is lost.
    """
    from cephctl.cluster.evict import Eviction, evict, find_client

    if not client.isdigit():
        app.config.check_nodes([client])
    [found] = app.ask(partial(find_client, client, app.config.nodes))
    plan = Table(Eviction, (found,))
    if app.dry_run:
        return Outcome(plan)
    if not app.yes:
        app.confirm(plan, f"Evict client {found.id}? Its mount is dead until it is remounted.")
    done = list(app.ask(partial(evict, found, app.config.nodes)))
    again = (
        f"its mount is dead now; bring it back with: cephctl node remount {found.node}"
        if found.node
        else "its mount is dead until it is mounted anew"
    )
    return Outcome(Table(Eviction, tuple(done)), notes=(again,))


@group.command(changes=True)
@click.argument("mds", metavar="MDS|RANK")
@click.option(
    "--force",
    is_flag=True,
    help="Also without a standby, and although the MDS asks for patience (18.2.5 and later).",
)
@click.pass_obj
def fail(app: App, mds: str, force: bool) -> Outcome:
    """Make an MDS give up its rank, and wait until a standby has it.

    All clients wait meanwhile, as a rule some seconds. One that does not come back within 45 s of the takeover is evicted.
    """
    from cephctl.cluster.evict import Failover, fail, find_rank

    [rank] = app.ask(partial(find_rank, mds))
    if rank.after is None and not force:
        raise Refused(
            f"no standby could take over rank {rank.rank} of mds.{rank.before}",
            "start an MDS first; --force fails it all the same",
        )
    plan = Table(Failover, (rank,))
    if app.dry_run:
        return Outcome(plan)
    if not app.yes:
        app.confirm(plan, f"Fail mds.{rank.before}?")
    [done] = app.ask(partial(fail, rank, force))
    if done.after is None:
        error = CephctlError(
            f"rank {rank.rank} is not active again after a minute", "see 'cephctl mds status'"
        )
        return Outcome(Table(Failover, (done,)), error.status, (error,))
    return Outcome(Table(Failover, (done,)))
