"""cephctl config"""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import click

from cephctl.cli.app import App
from cephctl.cli.options import Noun, status_of_findings
from cephctl.config import SYSTEM_PATH, template, user_path
from cephctl.errors import CephctlError, Interrupted, UsageError
from cephctl.files import create, writing
from cephctl.results import Column, Finding, Outcome, Record, Severity, Table


@dataclass(frozen=True)
class SettingValue(Record):
    """A setting as it holds now, and where it came from: a file, an environment variable, the command line, the default."""

    setting: str
    value: Any
    source: str

    columns = (Column("setting", "SETTING"), Column("value", "VALUE"), Column("source", "SOURCE"))


@click.group("config", cls=Noun)
def group() -> None:
    """Cephctl's own configuration."""


@group.command(changes=True)
@click.pass_obj
def init(app: App) -> str | None:
    """Write a configuration file.

    It has every setting explained. Printed is the command that creates the operator's entity in the cluster. Root's file goes to /etc/cephctl/cephctl.toml, anybody else's to ~/.config/cephctl/cephctl.toml; --config names another
    place. A file that is there is never overwritten. --dry-run prints the file instead.
    """
    if app.dry_run:
        return template()
    named = app.flags.get("config") or os.environ.get("CEPHCTL_CONFIG")
    path = named or (SYSTEM_PATH if os.geteuid() == 0 else user_path(os.environ))
    with writing(path, "edit it, or see 'cephctl config show'", UsageError):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        create(path, template(), 0o644)
    app.say(f"wrote {path}")
    return create_entity(app)


def create_entity(app: App) -> str:
    from cephctl.ceph.login import create_command

    entity = app.flags.get("entity") or "client.cephctl"
    return (
        "# once, on a node with client.admin; then move the file to "
        f"/etc/ceph/ceph.{entity}.keyring on this machine, owned by the operator\n{create_command(entity)}\n"
    )


@group.command()
@click.pass_obj
def show(app: App) -> Table[Record]:
    """Show every setting and its source.

    Then the web nodes of the inventory.
    """
    config = app.config
    rows = [SettingValue(key, value.value, value.source) for key, value in config.values.items()]
    for node in config.nodes:
        rows += [
            SettingValue(f"nodes.{node.name}.{key}", getattr(node, key), str(config.path))
            for key in ("address", "shard")
        ]
    return Table(SettingValue, tuple(rows))


@group.command()
@click.pass_obj
def check(app: App) -> Outcome:
    """Try what the configuration promises.

    Files, login, caps, file system, tenants' root, the web nodes' entity, and a login on every web node. Each problem is one finding with the next step; with an ERR among them, the exit status is 3.
    """
    found = tuple(problems(app))
    if not found:
        app.say(f"{app.config['ceph.name']} can do all that cephctl needs")
    return Outcome(Table(Finding, found), status_of_findings(found, "err"))


def problems(app: App) -> Iterator[Finding]:
    if not app.config.nodes:
        yield Finding(
            "CONFIG_NO_NODES",
            Severity.WARN,
            "there are no web nodes in the inventory",
            ("add [nodes.NAME] with address and shard to cephctl.toml",),
        )
    yield from cluster_problems(app)
    yield from node_problems(app)


def cluster_problems(app: App) -> Iterator[Finding]:
    """Each thing that does not work. What cannot be tried because of another problem is left out."""
    from cephctl.cluster.sessions import read_sessions
    from cephctl.cluster.status import read_status
    from cephctl.nodes.push import read_credentials
    from cephctl.tenants.layout import list_tenants

    trials: dict[str, Callable[[], Iterator[Any]]] = {
        "CONFIG_CLUSTER": lambda: app.ask(read_status),
        "CONFIG_MDS": lambda: app.ask(partial(read_sessions, app.config.nodes, ())),
        "CONFIG_TENANTS": lambda: app.ask_tenants(list_tenants),
        "CONFIG_ENTITY": lambda: app.ask(partial(read_credentials, app.config["mount.entity"])),
    }
    for code, trial in trials.items():
        try:
            deque(trial(), maxlen=0)
        except Interrupted:
            raise
        except CephctlError as error:
            yield Finding(code, Severity.ERR, error.message, tuple((error.hint or "").splitlines()))
            return


def node_problems(app: App) -> Iterator[Finding]:
    """Web nodes that cannot be asked. Their mounts are the doctor's business."""
    from cephctl.cli.doctor import nodes_facts
    from cephctl.doctor.check import Layer
    from cephctl.doctor.verdict import judge, load_checks
    from cephctl.doctor.view import View
    from cephctl.site import site_of

    nodes = nodes_facts(app, app.config.nodes)
    checks = [check for check in load_checks().values() if check.depth is Layer.REACH]
    for node in nodes:
        for found in judge(View(node, {}, site_of(app.config)), checks):
            yield replace(
                found.finding,
                severity=Severity.WARN,
                summary=f"{node.name}: {found.finding.summary}",
            )
