"""cephctl node"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cephctl.cli.app import App
from cephctl.cli.options import (
    ALL_NODES,
    FAIL_ON,
    NODES_OR_SHARDS,
    Noun,
)
from cephctl.config import Node
from cephctl.results import Outcome, Table, collect

if TYPE_CHECKING:
    from cephctl.doctor.verdict import Diagnosis


@click.group("node", cls=Noun)
def group() -> None:
    """Web nodes: diagnose and remount their CephFS."""


@group.command()
@NODES_OR_SHARDS
@ALL_NODES
@click.option("--only", multiple=True, metavar="CODE", help="Run only this check; may be repeated.")
@click.option(
    "--skip", multiple=True, metavar="CODE", help="Do not run this check; may be repeated."
)
@click.option("--list", "listing", is_flag=True, help="List the checks.")
@click.option("--explain", metavar="CODE", help="Explain a finding and what to do.")
@click.option("--save", metavar="FILE", help="Write the facts to a file.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    help="Evaluate saved facts instead of contacting nodes and cluster.",
)
@click.option("--no-probe", is_flag=True, help="Skip the probes; do not access the mount.")
@click.option(
    "--watch",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Repeat every SECONDS until interrupted.",
)
@click.option(
    "--nagios", is_flag=True, help="Print one line, with the exit status of a monitoring plugin."
)
@FAIL_ON
@click.pass_obj
def doctor(app: App, names: tuple[str, ...], everything: bool, **options: Any) -> Any:
    """Find out what is wrong with web nodes' mounts.

    It asks the cluster and the nodes at the same time. For each node it names one cause, the
    evidence of both sides, and the command that helps. Without NODE or SHARD it examines all nodes.
    It changes nothing. A probe that hangs is killed after 5 s and named.
    """
    from cephctl.doctor import report

    if options["listing"]:
        return report.listing()
    if options["explain"]:
        return report.explanation(options["explain"])
    source = options["source"]
    nodes = [] if source else app.config.choose(names, everything, default_all=True)
    order = report.Order(
        names=names,
        only=options["only"],
        skip=options["skip"],
        save=options["save"],
        source=source,
        probe=not options["no_probe"],
    )
    if options["watch"]:
        return watch(app, partial(report.examined, app.deps, nodes, order), options["watch"])
    facts, found = report.examined(app.deps, nodes, order)
    if options["nagios"]:
        return report.for_nagios(found)
    return Outcome(found, report.status(facts, found, options["fail_on"]))


def watch(app: App, look: Callable[[], tuple[Any, Diagnosis]], seconds: float) -> None:
    """Show the result every so many seconds, until Ctrl-C."""
    while True:
        _, found = look()
        if sys.stdout.isatty():
            click.clear()
        app.show(found)
        sys.stdout.flush()
        time.sleep(seconds)


@group.command("list")
@click.pass_obj
def list_nodes(app: App) -> Table[Node]:
    """List the nodes of the inventory.

    No node is contacted; `node health` does that.
    """
    return Table(Node, app.config.nodes)


@group.command("health")
@NODES_OR_SHARDS
@click.pass_obj
def node_health(app: App, names: tuple[str, ...]) -> Outcome:
    """Report in one line per node whether its mount works.

    Mounted means that it is CephFS, and that the monitors and the MDS answer through it. Writable
    means that a block of the sentinel was read and written without the page cache. A probe that
    does not answer within 3 s is reported.
    """
    from cephctl.nodes import health

    return health.health(app.deps, app.config.choose(names, False, default_all=True))


@group.command()
@NODES_OR_SHARDS
@click.option(
    "--create-sentinel",
    is_flag=True,
    help="Create the file that the OSD probe reads, if it does not exist.",
)
@click.pass_obj
def probe(app: App, names: tuple[str, ...], create_sentinel: bool) -> Outcome:
    """Probe the monitors, the MDS and the OSDs through each mount.

    Three probes, each in a process of its own: statfs for the monitors, a forced getattr for the
    MDS, a direct read of the sentinel for the OSDs. One that hangs is killed. Nothing is created on
    the mount; --create-sentinel creates the file from this machine, through libcephfs.
    """
    from cephctl.nodes import health, sentinel

    nodes = app.config.choose(names, False, default_all=True)
    if create_sentinel:
        path = app.deps.site.sentinel_path
        for made in app.ask_tenants(partial(sentinel.create, path)):
            app.note(f"{path} {'created' if made else 'already exists'}")
    return health.probe(app.deps, nodes)


@group.command()
@NODES_OR_SHARDS
@click.pass_obj
def sessions(app: App, names: tuple[str, ...]) -> Outcome:
    """Show the MDS sessions of web nodes, as `mds sessions` does."""
    from cephctl.cluster.sessions import MdsSession, read_sessions

    wanted = [node.name for node in app.config.choose(names, False, default_all=True)]
    return collect(MdsSession, app.ask(partial(read_sessions, app.config.nodes, wanted)))


KILL = click.option(
    "--kill", is_flag=True, help="Kill processes outside systemd services that keep the mount busy."
)
SET_ASIDE = click.option(
    "--set-aside",
    is_flag=True,
    help="First move files found in the unmounted mount point to PATH.shadowed-DATE.",
)
FORCE = click.option(
    "--force", is_flag=True, help="Proceed even if a check predicts that the mount will fail."
)


@group.command(changes=True)
@NODES_OR_SHARDS
@ALL_NODES
@SET_ASIDE
@FORCE
@click.pass_obj
def mount(
    app: App, names: tuple[str, ...], everything: bool, set_aside: bool, force: bool
) -> Outcome:
    """Mount through the unit, verify the mount, and start dependent services.

    One node after the other; it stops at the first that fails.
    """
    from cephctl.nodes.remount import Order, propose

    order = Order("mount", set_aside=set_aside, force=force)
    return app.carry_out(propose(app.deps, order, app.config.choose(names, everything)))


@group.command(changes=True)
@NODES_OR_SHARDS
@ALL_NODES
@KILL
@click.pass_obj
def umount(app: App, names: tuple[str, ...], everything: bool, kill: bool) -> Outcome:
    """Stop dependent services, and unmount.

    A plain umount, then a forced, then a lazy one, each with a deadline. The services stay stopped;
    `node mount` starts them.
    """
    from cephctl.nodes.remount import Order, propose

    order = Order("umount", kill=kill)
    return app.carry_out(propose(app.deps, order, app.config.choose(names, everything)))


@group.command(changes=True)
@NODES_OR_SHARDS
@ALL_NODES
@KILL
@SET_ASIDE
@FORCE
@click.pass_obj
def remount(
    app: App, names: tuple[str, ...], everything: bool, kill: bool, set_aside: bool, force: bool
) -> Outcome:
    """Unmount and mount again with a new client ID.

    Services that use the mount are stopped, and started again. The new mount is verified: new
    client ID, three probes, an open MDS session. If a check predicts that the new mount would fail,
    the command is refused. One node after the other; it stops at the first that fails. --dry-run
    shows the steps.
    """
    from cephctl.nodes.remount import Order, propose

    order = Order("remount", kill=kill, set_aside=set_aside, force=force)
    return app.carry_out(propose(app.deps, order, app.config.choose(names, everything)))


@group.command("drain", changes=True)
@NODES_OR_SHARDS
@click.option("--force", is_flag=True, help="Drain even the last UP server of the backend.")
@click.pass_obj
def drain_nodes(app: App, names: tuple[str, ...], force: bool) -> Outcome:
    """Take nodes out of service in HAProxy.

    New requests go to other nodes. Running requests get 30 s to end, and are then closed.
    """
    from cephctl.nodes import drain

    return app.carry_out(drain.drain(app.deps, app.config.choose(names, False), force))


@group.command("undrain", changes=True)
@NODES_OR_SHARDS
@ALL_NODES
@click.pass_obj
def undrain_nodes(app: App, names: tuple[str, ...], everything: bool) -> Outcome:
    """Put nodes back into service in HAProxy, and wait until the health check reports UP."""
    from cephctl.nodes import drain

    return app.carry_out(drain.undrain(app.deps, app.config.choose(names, everything)))


@group.command("push", changes=True)
@NODES_OR_SHARDS
@ALL_NODES
@click.pass_obj
def push_files(app: App, names: tuple[str, ...], everything: bool) -> Outcome:
    """Write ceph.conf, secret, keyring and mount unit on nodes.

    The key and the monitors' addresses come from the cluster, the rest from the configuration
    ([mount]). Only files that differ are written, each of them completely or not at all. Keys are
    shown by fingerprint. An existing mount does not change: see `node remount`.
    """
    from cephctl.nodes import push

    return app.carry_out(push.propose(app.deps, app.config.choose(names, everything)))
