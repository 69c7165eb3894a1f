"""cephctl config"""

from __future__ import annotations

import os

import click

from cephctl.cli.app import App
from cephctl.cli.options import Noun
from cephctl.config import SYSTEM_PATH, SettingValue, load, template, user_path
from cephctl.errors import UsageError
from cephctl.files import create, writing
from cephctl.results import Finding, Outcome, Severity, Table, status_of_findings


@click.group("config", cls=Noun)
def group() -> None:
    """Cephctl's own configuration."""


@group.command(changes=True)
@click.pass_obj
def init(app: App) -> str | None:
    """Write a configuration file.

    The file explains every setting. The command that creates the operator's entity in the cluster
    is printed. Root's file is /etc/cephctl/cephctl.toml, other users'
    ~/.config/cephctl/cephctl.toml; --config names another one. An existing file is never
    overwritten. --dry-run prints the file instead.
    """
    if app.dry_run:
        return template()
    named = app.flags.get("config") or os.environ.get("CEPHCTL_CONFIG")
    path = named or (SYSTEM_PATH if os.geteuid() == 0 else user_path(os.environ))
    with writing(path, "edit it, or see 'cephctl config show'", UsageError):
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        create(path, template(), 0o644)
    app.say(f"wrote {path}")
    from cephctl.ceph.login import first_steps

    # The file that was just written changes nothing; the environment may.
    mounted_as = load(None, {}, os.environ | {"CEPHCTL_CONFIG": os.devnull})["mount.entity"]
    return first_steps(app.flags.get("entity") or "client.cephctl", mounted_as)


@group.command()
@click.pass_obj
def show(app: App) -> Table[SettingValue]:
    """Show every setting and its source.

    Then the web nodes of the inventory.
    """
    config = app.config
    rows = [SettingValue(key, each.value, each.source) for key, each in config.values.items()]
    for node in config.nodes:
        rows += [
            SettingValue(f"nodes.{node.name}.{key}", getattr(node, key), str(config.path))
            for key in ("address", "shard")
        ]
    return Table(SettingValue, tuple(rows))


@group.command()
@click.pass_obj
def check(app: App) -> Outcome:
    """Test the configuration: files, login, caps, nodes.

    It tests the file system, the tenants' root, the web nodes' entity, and a login on every web
    node. Each problem is one finding with the next step. With an ERR among them the exit status is
    3.
    """
    from cephctl.doctor.configuration import problems
    from cephctl.tenants.layout import list_tenants

    found = tuple(problems(app.deps, lambda: app.ask_tenants(list_tenants)))
    if not found:
        app.say(f"{app.config['ceph.name']} has all caps that cephctl needs")
    return Outcome(Table(Finding, found), status_of_findings(found, Severity.ERR))
