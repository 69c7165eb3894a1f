"""cephctl keys"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

import click

from cephctl.cli.app import App
from cephctl.cli.options import (
    ALL_NODES,
    FAIL_ON,
    NODES_OR_SHARDS,
    REASON,
    SKIP_NODES,
    Noun,
)
from cephctl.errors import UsageError
from cephctl.files import create, writing
from cephctl.results import Outcome, Severity, Table, status_of_findings

if TYPE_CHECKING:
    from cephctl.cluster.entities import Cap, KeyDetail
    from cephctl.cluster.web_caps import CapChange

# Not "entity", which is what --name is kept as.
ENTITY = click.argument("whose", metavar="[ENTITY]", required=False)


@click.group("keys", cls=Noun)
def group() -> None:
    """CephX keys: age, use and caps; rotation."""


@group.command("list")
@click.option("--all", "everything", is_flag=True, help="Include daemons' keys.")
@click.pass_obj
def list_keys(app: App, everything: bool) -> Outcome:
    """List clients' keys: type, age, fingerprint, and who uses them now.

    To list entities takes client.admin, or mon 'allow command "auth ls"'; without it only the web
    nodes' entity is shown.
    """
    from cephctl.cluster.entities import list_keys as listed
    from cephctl.cluster.entities import shown

    entity = app.config["mount.entity"]
    return shown(app.ask(partial(listed, app.config.nodes, everything, entity)))


@group.command()
@ENTITY
@click.pass_obj
def show(app: App, whose: str | None) -> KeyDetail:
    """Show an entity: its key's type and age, its caps, its sessions.

    Without ENTITY, the web nodes'. OLDER SESSIONS were opened before the key was made: they use a
    former key.
    """
    from cephctl.cluster.entities import show_key

    shown: KeyDetail
    [shown] = app.ask(partial(show_key, named(app, whose), app.config.nodes, time.time()))
    return shown


@group.command()
@NODES_OR_SHARDS
@FAIL_ON
@click.pass_obj
def audit(app: App, names: tuple[str, ...], fail_on: Severity | None) -> Outcome:
    """Check keys and caps, on the nodes and in the cluster.

    It finds key files that differ from the cluster, and mounts that are older than their key. It
    finds secrets that other users can read, missing or excessive caps, pending keys, and
    unsupported key types. The checks are those of `node doctor`.
    """
    from cephctl.doctor.audit import audit_keys

    found = audit_keys(app.deps, app.config.choose(names, False, default_all=True))
    return Outcome(found, status_of_findings(found.findings, fail_on))


@group.command(changes=True)
@NODES_OR_SHARDS
@ALL_NODES
@click.pass_obj
def push(app: App, names: tuple[str, ...], everything: bool) -> Outcome:
    """Write keyring and secret on nodes, with ceph.conf and unit, as `node push` does."""
    from cephctl.nodes.push import propose

    return app.carry_out(propose(app.deps, app.config.choose(names, everything)))


@group.command()
@click.argument("whose", metavar="ENTITY")
@click.option(
    "--as",
    "kind",
    type=click.Choice(["keyring", "secret"]),
    default="keyring",
    help="Write a keyring, or the bare key.",
)
@click.option(
    "-o", "--output", metavar="FILE", help="Write to this file, mode 0600; it must not exist."
)
@click.option("--stdout", is_flag=True, help="Print to standard output, even to a terminal.")
@click.pass_obj
def export(app: App, whose: str, kind: str, output: str | None, stdout: bool) -> str | Outcome:
    """Write an entity's key to a file.

    No other command prints a key, and this one only with --stdout.
    """
    from cephctl.cluster.entities import exported

    if stdout == bool(output):
        raise UsageError("one of --output FILE or --stdout is required")
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
    help=(
        "overlap: use a second entity meanwhile. alternate: stay on the second entity (NAME-b) "
        "and remove the first. in-place: change the key, then remount."
    ),
)
@click.option(
    "--compromised",
    is_flag=True,
    help=(
        "The key was stolen: change it in place, and evict every session that is older than "
        "the new key."
    ),
)
@click.option(
    "--key-type",
    type=click.Choice(["auto", "aes", "aes256k"]),
    default="auto",
    show_default="auto: the strongest type that all nodes support",
    help="The type of the new key.",
)
@SKIP_NODES
@REASON
@click.option(
    "--break-lock",
    is_flag=True,
    help="Take over the unfinished run of a machine that will not come back.",
)
@click.option("--yes-i-really-mean-it", "really", is_flag=True, help="Rotate even client.admin.")
@click.pass_obj
def rotate(  # noqa: PLR0913, PLR0917 - one for each option
    app: App,
    whose: str | None,
    skip: tuple[str, ...],
    reason: str | None,
    break_lock: bool,
    strategy: str,
    compromised: bool,
    key_type: str,
    really: bool,
) -> Outcome:
    """Give the web nodes' entity a new key, without downtime.

    The nodes switch to a second entity with the same caps, one after the other. For each: HAProxy
    drains the node, a new mount is made beside the old one, verified, and moved into its place.
    Services that use the old mount are reloaded; HAProxy puts the node back. When no session uses
    the first entity its key is changed, and the nodes switch back to it. At the first problem the
    run stops where it is safe. It can be resumed or rolled back (`cephctl run`), even after a
    crash. --dry-run shows the steps and the estimated times.

    It needs client.admin, or the caps that cephctl(8) lists under CAPABILITIES.
    """
    from cephctl.cli.progress import watch
    from cephctl.rotation import propose
    from cephctl.rotation.plan import reasons
    from cephctl.rotation.preflight import Request

    if compromised and strategy == "alternate":
        raise UsageError("--compromised cannot be combined with --strategy alternate")
    request = Request(
        named(app, whose),
        "in-place" if compromised else strategy,
        compromised,
        really,
        key_type,
        reasons(skip, reason),
    )
    return app.carry_out(propose.rotate(app.deps, request, break_lock, watch(app.live)))


@group.group()
def caps() -> None:
    """What an entity may do: shown, compared with what a web node needs, and set."""


@caps.command("show")
@ENTITY
@click.pass_obj
def caps_show(app: App, whose: str | None) -> Table[Cap]:
    """Show an entity's caps, service by service."""
    from cephctl.cluster.entities import Cap
    from cephctl.cluster.entities import show_caps as shown

    return Table(Cap, tuple(app.ask(partial(shown, named(app, whose)))))


@caps.command("diff")
@ENTITY
@click.pass_obj
def caps_diff(app: App, whose: str | None) -> Table[CapChange]:
    """Compare an entity's caps with what a web node needs."""
    from cephctl.cluster.web_caps import compare

    return compare(app.deps, named(app, whose))


@caps.command("apply", changes=True)
@ENTITY
@click.pass_obj
def caps_apply(app: App, whose: str | None) -> Outcome:
    """Give an entity the caps that a web node needs, no more.

    All services are written at once, for `ceph auth caps` deletes those it is not told of. A
    session keeps the caps it was opened with: remount for the new ones.
    """
    from cephctl.cluster.web_caps import propose

    return app.carry_out(propose(app.deps, named(app, whose)))


def named(app: App, whose: str | None) -> str:
    """The entity that was named, or the web nodes'; "web" is client.web."""
    name = whose or str(app.config["mount.entity"])
    return name if "." in name else f"client.{name}"
