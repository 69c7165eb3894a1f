"""cephctl node"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import click

from cephctl.cli.app import App, table
from cephctl.cli.options import FAIL_ON, Noun, complete_nodes_and_shards
from cephctl.config import Node
from cephctl.errors import UsageError
from cephctl.results import Outcome, Table

NAMES = click.argument(
    "names", metavar="[NODE|SHARD]...", nargs=-1, shell_complete=complete_nodes_and_shards
)
ALL = click.option("--all", "everything", is_flag=True, help="All nodes of the inventory.")


@click.group("node", cls=Noun)
def group() -> None:
    """Web nodes: diagnose and remount their CephFS."""


@group.command()
@NAMES
@ALL
@click.option(
    "--only", multiple=True, metavar="CODE", help="Make this check alone; may be repeated."
)
@click.option(
    "--skip", multiple=True, metavar="CODE", help="Leave this check out; may be repeated."
)
@click.option("--list", "listing", is_flag=True, help="List the checks.")
@click.option("--explain", metavar="CODE", help="Say what a finding means and what to do.")
@click.option("--save", metavar="FILE", help="Write the facts to a file.")
@click.option(
    "--from", "source", metavar="FILE", help="Judge the facts in a file; nothing is asked."
)
@click.option("--no-probe", is_flag=True, help="Do not touch the mounts.")
@click.option(
    "--watch",
    type=click.FloatRange(min=1),
    metavar="SECONDS",
    help="Look again and again, until interrupted.",
)
@click.option(
    "--nagios", is_flag=True, help="One line and an exit status as monitoring plugins have them."
)
@FAIL_ON
@click.pass_obj
def doctor(app: App, names: tuple[str, ...], everything: bool, **options: Any) -> Any:
    """Find out what is wrong with web nodes' mounts.

    It asks the cluster and the nodes at the same time, joins what both know, and names for each node one cause, the evidence of
    both sides, and the command that helps. Without NODE or SHARD it looks at all nodes. It changes nothing; what hangs is given up
    after 5 s and named.
    """
    from cephctl.cli import doctor as command

    if options["listing"]:
        return command.listing()
    if options["explain"]:
        return command.explanation(options["explain"])
    return command.run(
        app,
        chosen(app, names, everything, default_all=True) if not options["source"] else [],
        names=names,
        **options,
    )


@group.command("list")
@click.pass_obj
def list_nodes(app: App) -> Table[Node]:
    """List the nodes of the inventory.

    Nothing is asked; `node health` asks.
    """
    return Table(Node, app.config.nodes)


@group.command()
@NAMES
@click.pass_obj
def health(app: App, names: tuple[str, ...]) -> Outcome:
    """Say in one line per node whether its mount works.

    Mounted means that it is CephFS and that the monitors and the MDS answer through it; writable, that a block of the sentinel
    was read and written past the page cache. What does not answer within 3 s is said.
    """
    from cephctl.cli.health import look

    return look(app, chosen(app, names, False, default_all=True))


@group.command()
@NAMES
@click.option(
    "--make-sentinel",
    is_flag=True,
    help="Create the file that the OSD probe reads, if it is not there.",
)
@click.pass_obj
def probe(app: App, names: tuple[str, ...], make_sentinel: bool) -> Outcome:
    """Ask through the mounts: monitors, MDS and OSDs.

    Three questions, each in a process of its own that is given up when it hangs: statfs for the monitors, a forced getattr for the
    MDS, a direct read of the sentinel for the OSDs. Nothing is created on the mount; --make-sentinel creates the file from here.
    """
    from cephctl.cli.health import make_sentinel as make
    from cephctl.cli.health import probe_nodes

    nodes = chosen(app, names, False, default_all=True)
    if make_sentinel:
        make(app)
    return probe_nodes(app, nodes)


@group.command()
@NAMES
@click.pass_obj
def sessions(app: App, names: tuple[str, ...]) -> Outcome:
    """Show the MDS sessions of web nodes, as `mds sessions` does."""
    from cephctl.cluster.sessions import MdsSession, read_sessions

    wanted = [node.name for node in chosen(app, names, False, default_all=True)]
    return table(MdsSession, app.ask(partial(read_sessions, app.config.nodes, wanted)))


KILL = click.option("--kill", is_flag=True, help="End processes of no service that hold the mount.")
SET_ASIDE = click.option(
    "--set-aside",
    is_flag=True,
    help="Move files out of the bare directory that the mount would hide.",
)
FORCE = click.option(
    "--force", is_flag=True, help="Try although the mount is not expected to come up."
)


@group.command(changes=True)
@NAMES
@ALL
@SET_ASIDE
@FORCE
@click.pass_obj
def mount(
    app: App, names: tuple[str, ...], everything: bool, set_aside: bool, force: bool
) -> Outcome:
    """Mount through the unit, verify it, and start what stands on it.

    One node after the other; it stops at the first that fails.
    """
    from cephctl.cli.ladder import run

    return run(app, chosen(app, names, everything), "mount", set_aside=set_aside, force=force)


@group.command(changes=True)
@NAMES
@ALL
@KILL
@click.pass_obj
def umount(app: App, names: tuple[str, ...], everything: bool, kill: bool) -> Outcome:
    """Stop what stands on the mount, and unmount.

    A plain umount, then a forced, then a lazy one, each given up when it hangs. The services stay stopped; `node mount` starts them.
    """
    from cephctl.cli.ladder import run

    return run(app, chosen(app, names, everything), "umount", kill=kill)


@group.command(changes=True)
@NAMES
@ALL
@KILL
@SET_ASIDE
@FORCE
@click.pass_obj
def remount(
    app: App, names: tuple[str, ...], everything: bool, kill: bool, set_aside: bool, force: bool
) -> Outcome:
    """Take the mount away and bring it back as a new client.

    What holds it is found and named: services are stopped and started again. The new mount is verified: a new client, three probes, an
    open MDS session. A mount that would not come up again is not taken away. One node after the other; the first is the canary, and
    it stops at the first that fails. --dry-run shows the steps.
    """
    from cephctl.cli.ladder import run

    return run(
        app, chosen(app, names, everything), "remount", kill=kill, set_aside=set_aside, force=force
    )


@group.command(changes=True)
@NAMES
@click.option("--force", is_flag=True, help="Also the last one that is up.")
@click.pass_obj
def drain(app: App, names: tuple[str, ...], force: bool) -> Outcome:
    """Take nodes out of service in HAProxy.

    New requests go elsewhere; the running ones get 30 s to end, and are then cut off.
    """
    from cephctl.cli.service import drain as carry_out

    return carry_out(app, chosen(app, names, False), force)


@group.command(changes=True)
@NAMES
@ALL
@click.pass_obj
def undrain(app: App, names: tuple[str, ...], everything: bool) -> Outcome:
    """Put nodes back into service in HAProxy, and wait until its own check has them up."""
    from cephctl.cli.service import undrain as carry_out

    return carry_out(app, chosen(app, names, everything))


@group.command(changes=True)
@NAMES
@ALL
@click.pass_obj
def push(app: App, names: tuple[str, ...], everything: bool) -> Outcome | None:
    """Put ceph.conf, secret, keyring and mount unit on nodes.

    The key and the monitors' addresses are the cluster's, the rest is the configuration's ([mount]). Only what differs is written, each
    file at once or not at all; keys are shown by fingerprint. A mount that is up does not change: see `node remount`.
    """
    from cephctl.cli.push import run

    return run(app, chosen(app, names, everything))


def chosen(
    app: App, names: Sequence[str], everything: bool, default_all: bool = False
) -> list[Node]:
    """The nodes that were named, by name or shard, in the inventory's order."""
    nodes = app.config.nodes
    if not nodes:
        raise UsageError(
            "there are no web nodes in the configuration",
            "add each to cephctl.toml: [nodes.NAME] with address and shard",
        )
    if everything and names:
        raise UsageError("--all and names exclude each other")
    if everything or (default_all and not names):
        return list(nodes)
    if not names:
        raise UsageError("name at least one node or shard, or say --all")
    shards = {node.shard for node in nodes}
    app.config.check_nodes([name for name in names if name not in shards])
    return [node for node in nodes if node.name in names or node.shard in names]
