"""cephctl keys"""

from __future__ import annotations

import time
from functools import partial
from typing import Any

import click

from cephctl.cli.app import App
from cephctl.cli.node import ALL, NAMES
from cephctl.cli.node import chosen as chosen_nodes
from cephctl.cli.options import FAIL_ON, Noun, complete_nodes, status_of_findings
from cephctl.errors import UsageError
from cephctl.files import create, writing
from cephctl.results import Outcome, Table

# Not "entity", which is what --name is kept as.
ENTITY = click.argument("whose", metavar="[ENTITY]", required=False)
# The checks that are about keys and caps; what else is wrong with a node is the doctor's.
AUDITED = (
    "ENTITY_",
    "CAPS_",
    "KEY_",
    "KEYRING_",
    "SECRET_",
    "KERNEL_KEY_",
    "AUTH_",
    "NAME_PREFIXED",
    "NODE_",
    "FACTS_",
)


@click.group("keys", cls=Noun)
def group() -> None:
    """CephX keys: age, use and caps; rotation."""


@group.command("list")
@click.option("--all", "everything", is_flag=True, help="Daemons' keys too.")
@click.pass_obj
def list_keys(app: App, everything: bool) -> Outcome:
    """List clients' keys: type, age, fingerprint, and who uses them now.

    To list entities takes client.admin, or mon 'allow command "auth ls"'; without it only the web nodes' entity is shown.
    """
    from cephctl.cluster.entities import KeyRow
    from cephctl.cluster.entities import list_keys as listed

    found = list(app.ask(partial(listed, app.config.nodes, everything, app.config["mount.entity"])))
    rows = tuple(each for each in found if isinstance(each, KeyRow))
    return Outcome(
        Table(KeyRow, rows),
        notes=tuple(
            f"only the web nodes' entity is shown: {each}" for each in found if each not in rows
        ),
    )


@group.command()
@ENTITY
@click.pass_obj
def show(app: App, whose: str | None) -> Any:
    """Show an entity: its key's type and age, its caps, its sessions.

    Without ENTITY, the web nodes'. OLDER SESSIONS were opened before the key was made: they live on one that is gone.
    """
    from cephctl.cluster.entities import show_key

    [shown] = app.ask(partial(show_key, named(app, whose), app.config.nodes, time.time()))
    return shown


@group.command()
@NAMES
@FAIL_ON
@click.pass_obj
def audit(app: App, names: tuple[str, ...], fail_on: str) -> Outcome:
    """Look for what is wrong with keys and caps, on the nodes and in the cluster.

    Files that differ from the cluster, mounts older than their key, secrets that others can read or that stand in fstab, caps that
    are too wide or lack a service, pending keys, key types that the cluster or a kernel cannot use. The checks are the doctor's.
    """
    from cephctl.cli.doctor import asked
    from cephctl.doctor.verdict import examine, load_checks

    facts = asked(app, chosen_nodes(app, names, False, default_all=True), 5.0)
    found = examine(
        facts.nodes,
        facts.cluster,
        facts.site,
        only=[code for code in load_checks() if code.startswith(AUDITED)],
    )
    return Outcome(found, status_of_findings(found.findings, fail_on))


@group.command(changes=True)
@NAMES
@ALL
@click.pass_obj
def push(app: App, names: tuple[str, ...], everything: bool) -> Outcome | None:
    """Put keyring and secret on nodes, with ceph.conf and unit, as `node push` does."""
    from cephctl.cli.push import run

    return run(app, chosen_nodes(app, names, everything))


@group.command()
@click.argument("whose", metavar="ENTITY")
@click.option(
    "--format",
    "kind",
    type=click.Choice(["keyring", "secret"]),
    default="keyring",
    help="A keyring, or the bare key.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Where to; it is made 0600, and must not be there yet."
)
@click.option("--stdout", is_flag=True, help="Print the key instead, also on a terminal.")
@click.pass_obj
def export(app: App, whose: str, kind: str, output: str | None, stdout: bool) -> str | Outcome:
    """Write an entity's key to a file.

    It is the only command that gives out a key, and never to a terminal unless --stdout says so.
    """
    from cephctl.cluster.entities import exported

    if stdout == bool(output):
        raise UsageError("say where to: -o FILE, or --stdout")
    [(text, fingerprint)] = app.ask(partial(exported, named(app, whose), kind))
    if stdout:
        return str(text)
    assert output
    with writing(output, "remove it first, or name another file"):
        create(output, text)
    return Outcome(
        None, notes=(f"wrote the {kind} of {named(app, whose)}, key {fingerprint}, to {output}",)
    )


@group.command(changes=True)
@ENTITY
@click.option(
    "--strategy",
    type=click.Choice(["overlap", "alternate", "in-place"]),
    default="overlap",
    show_default=True,
    help="overlap: by way of a second entity, no moment without a valid key. alternate: the entity's name takes turns. in-place: at once.",
)
@click.option(
    "--compromised",
    is_flag=True,
    help="The key was stolen: in-place, and every session that predates the new key is evicted.",
)
@click.option(
    "--key-type",
    type=click.Choice(["auto", "aes", "aes256k"]),
    default="auto",
    help="Default: the best that all can use.",
)
@click.option(
    "--skip",
    multiple=True,
    metavar="NODE",
    help="Leave this node out; may be repeated.",
    shell_complete=complete_nodes,
)
@click.option("--reason", metavar="TEXT", help="Why nodes are left out; it goes into the record.")
@click.option(
    "--break-lock", is_flag=True, help="Take over the unfinished run of a machine that is lost."
)
@click.option("--i-really-mean-it", "really", is_flag=True, help="Also client.admin.")
@click.pass_obj
def rotate(
    app: App,
    whose: str | None,
    skip: tuple[str, ...],
    reason: str | None,
    break_lock: bool,
    **options: Any,
) -> Outcome:
    """Give the web nodes' entity a new key, with nobody noticing.

    A second entity with the same caps takes over, node by node: out of HAProxy, a new mount made beside the old one, verified, and put
    in its place, what held the old one reloaded, back into HAProxy. When nobody uses the first entity any more its key is changed, and
    the nodes go back to it the same way. The first node is the canary; at the first trouble the run stops where it is safe, and can be
    resumed or rolled back (`cephctl run`), also after this program or this machine died. --dry-run shows the steps and the times.

    It takes client.admin, or the caps that README.md names.
    """
    from cephctl.cli.rotate import rotate as carry_out
    from cephctl.cli.run import reasons
    from cephctl.rotation.preflight import Request

    if options["compromised"] and options["strategy"] == "alternate":
        raise UsageError(
            "a stolen key is changed in place: --compromised and --strategy alternate exclude each other"
        )
    strategy = "in-place" if options["compromised"] else options["strategy"]
    request = Request(
        named(app, whose),
        strategy,
        options["compromised"],
        options["really"],
        options["key_type"],
        reasons(skip, reason),
    )
    return carry_out(app, request, break_lock)


@group.group()
def caps() -> None:
    """What an entity may do: shown, compared with what a web node needs, and set."""


@caps.command("show")
@ENTITY
@click.pass_obj
def caps_show(app: App, whose: str | None) -> Table[Any]:
    """Show an entity's caps, service by service."""
    from cephctl.cluster.entities import Cap
    from cephctl.cluster.entities import show_caps as shown

    return Table(Cap, tuple(app.ask(partial(shown, named(app, whose)))))


@caps.command("diff")
@ENTITY
@click.pass_obj
def caps_diff(app: App, whose: str | None) -> Table[Any]:
    """Compare an entity's caps with what a web node needs."""
    return caps_table(app, named(app, whose))


@caps.command("apply", changes=True)
@ENTITY
@click.pass_obj
def caps_apply(app: App, whose: str | None) -> Outcome:
    """Give an entity the caps that a web node needs, no more.

    All services are written at once, for `ceph auth caps` deletes those it is not told of. A session keeps the caps it was opened with:
    remount for the new ones.
    """
    from cephctl.ceph.keys import change_caps

    name = named(app, whose)
    plan = caps_table(app, name)
    if not any(row.changed for row in plan.rows):
        return Outcome(None, notes=("nothing differs",))
    if app.dry_run:
        return Outcome(plan)
    if not app.yes:
        app.confirm(plan, f"Set the caps of {name}?")
    wanted = {row.service: row.after for row in plan.rows if row.after}
    list(app.ask(partial(change_caps, name, wanted)))
    return Outcome(plan, notes=("live sessions keep their old caps: cephctl node remount --all",))


def caps_table(app: App, name: str) -> Table[Any]:
    from cephctl.cluster.entities import CapChange, caps_changes, template

    [wanted] = app.ask(
        partial(template, app.config["mount.root"], app.config["ceph.filesystem"] or None)
    )
    return Table(CapChange, tuple(app.ask(partial(caps_changes, name, wanted))))


def named(app: App, whose: str | None) -> str:
    """The entity that was named, or the web nodes'; "web" is client.web."""
    name = whose or str(app.config["mount.entity"])
    return name if "." in name else f"client.{name}"
