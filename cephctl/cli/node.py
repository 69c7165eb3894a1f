"""cephctl node"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cephctl.cli.app import App
from cephctl.cli.options import Noun, complete_nodes_and_shards
from cephctl.cli.verdict import FAIL_ON, status_of_findings
from cephctl.config import Node
from cephctl.errors import ExitStatus, NotFound, UsageError
from cephctl.model import Outcome, Table

if TYPE_CHECKING:
    from cephctl.doctor.gather import Facts
    from cephctl.doctor.verdict import Examination

NAMES = click.argument("names", metavar="[NODE|SHARD]...", nargs=-1, shell_complete=complete_nodes_and_shards)
ALL = click.option("--all", "everything", is_flag=True, help="All nodes of the inventory.")


@click.group("node", cls=Noun)
def group() -> None:
    """Web nodes: diagnose and remount their CephFS."""


@group.command()
@NAMES
@ALL
@click.option("--only", multiple=True, metavar="CODE", help="Make this check alone; may be repeated.")
@click.option("--skip", multiple=True, metavar="CODE", help="Leave this check out; may be repeated.")
@click.option("--list", "listing", is_flag=True, help="List the checks.")
@click.option("--explain", metavar="CODE", help="Say what a finding means and what to do.")
@click.option("--save", metavar="FILE", help="Write the facts to a file.")
@click.option("--from", "source", metavar="FILE", help="Judge the facts in a file; nothing is asked.")
@click.option("--no-probe", is_flag=True, help="Do not touch the mounts.")
@click.option("--watch", type=click.FloatRange(min=1), metavar="SECONDS", help="Look again and again, until interrupted.")
@click.option("--nagios", is_flag=True, help="One line and an exit status as monitoring plugins have them.")
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
    return command.run(app, chosen(app, names, everything, default_all=True) if not options["source"] else [], **options)


def chosen(app: App, names: Sequence[str], everything: bool, default_all: bool = False) -> list[Node]:
    """The nodes that were named, by name or shard, in the inventory's order."""
    nodes = app.config.nodes
    if not nodes:
        raise UsageError("there are no web nodes in the configuration", "add each to cephctl.toml: [nodes.NAME] with address and shard")
    if everything and names:
        raise UsageError("--all and names exclude each other")
    if everything or (default_all and not names):
        return list(nodes)
    if not names:
        raise UsageError("name at least one node or shard, or say --all")
    shards = {node.shard for node in nodes}
    app.config.check_nodes([name for name in names if name not in shards])
    return [node for node in nodes if node.name in names or node.shard in names]
