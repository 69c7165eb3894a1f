"""Options that every command takes, before or after its name."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import click

from cephctl.cli.app import App
from cephctl.errors import CephctlError
from cephctl.results import FORMATS, Severity
from cephctl.units import parse_size

F = TypeVar("F", bound=Callable[..., Any])


def remember(ctx: click.Context, parameter: click.Parameter, value: Any) -> Any:
    """Keep a global option's value where every command finds it; the one nearest to the end of the
    line wins.
    """
    if value not in (None, False) and parameter.name:
        ctx.ensure_object(App).flags[parameter.name] = value
    return value


def option(*names: str, **attributes: Any) -> Callable[[], click.Option]:
    return lambda: click.Option(names, expose_value=False, callback=remember, **attributes)


FORMAT = option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMATS),
    help="Output format; table by default.",
)
COLUMNS = option(
    "--columns",
    metavar="NAME,...",
    help="Show these columns in a table or csv: fields of the JSON answer.",
)
YES = option(
    "-y",
    "--yes",
    is_flag=True,
    help="Do not ask for confirmation; required when not on a terminal.",
)
DRY_RUN = option("--dry-run", is_flag=True, help="Show what would change; change nothing.")
GLOBAL_OPTIONS = (
    option(
        "--config",
        metavar="FILE",
        help=(
            "cephctl's configuration. Default: $CEPHCTL_CONFIG, the user's, "
            "/etc/cephctl/cephctl.toml."
        ),
    ),
    option(
        "-c",
        "--conf",
        metavar="FILE",
        help="The cluster's ceph.conf. Default: $CEPH_CONF, /etc/ceph/ceph.conf.",
    ),
    option(
        "--cluster",
        metavar="NAME",
        help="A cluster's name: means /etc/ceph/NAME.conf and its keyrings.",
    ),
    option(
        "-n",
        "--name",
        "entity",
        metavar="ENTITY",
        help="The entity to log in as. Default: client.cephctl.",
    ),
    option("-k", "--keyring", metavar="FILE", help="The entity's keyring."),
    option(
        "--timeout", metavar="SECONDS", help="How long one answer may take, 1 to 3600. Default: 10."
    ),
    FORMAT,
    COLUMNS,
    YES,
    DRY_RUN,
    option("-q", "--quiet", is_flag=True, help="No warnings and notes, only errors."),
    option(
        "--color",
        type=click.Choice(["auto", "always", "never"]),
        help="Default: auto; NO_COLOR is honoured.",
    ),
    option("--debug", is_flag=True, help="Show tracebacks and what the Ceph libraries say."),
)


def global_options(function: F) -> F:
    """Declare the options whose values go to the App instead of the function."""
    known = list(getattr(function, "__click_params__", ()))
    function.__click_params__ = [*reversed([make() for make in GLOBAL_OPTIONS]), *known]  # type: ignore[attr-defined]
    return function


class Verb(click.Command):
    """A command that accepts the global options too; its help shows those that matter to it."""

    def __init__(self, *arguments: Any, changes: bool = False, **attributes: Any) -> None:
        super().__init__(*arguments, **attributes)
        shown = (FORMAT, COLUMNS, YES, DRY_RUN) if changes else (FORMAT, COLUMNS)
        own = {name for parameter in self.params for name in parameter.opts}
        for make in GLOBAL_OPTIONS:
            parameter = make()
            parameter.hidden = make not in shown
            if not own & set(parameter.opts):
                self.params.append(parameter)

    def invoke(self, ctx: click.Context) -> Any:
        app = ctx.ensure_object(App)
        if app.columns:
            from cephctl.schema import check_columns

            if app.form in ("json", "yaml"):
                raise click.UsageError("--columns is for table and csv", ctx)
            # Before anything is changed.
            check_columns(ctx.command_path.partition(" ")[2], app.columns)
        return super().invoke(ctx)


def near_command(
    error: click.UsageError, args: Sequence[str], known: Iterable[str]
) -> click.UsageError:
    import difflib

    near = difflib.get_close_matches(args[0], list(known), n=1) if args else []
    if near and not getattr(error, "possibilities", None):
        error.message += f" Did you mean '{near[0]}'?"
    return error


class Noun(click.Group):
    """A group of verbs."""

    command_class = Verb
    group_class = type

    def resolve_command(self, ctx: click.Context, args: list[str]) -> Any:
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            raise near_command(error, args, self.list_commands(ctx)) from None


class Size(click.ParamType):
    """A size in bytes, with IEC units."""

    name = "size"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if isinstance(value, int):
            return value
        try:
            return parse_size(value)
        except ValueError as error:
            self.fail(str(error), param, ctx)


def completion(names: Callable[[App], Iterable[str]]) -> Callable[..., list[str]]:
    """Completes the names that are found; silence when it fails."""

    def complete(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
        app = ctx.find_object(App) or App()
        try:
            return [name for name in names(app) if name.startswith(incomplete)]
        except (CephctlError, KeyboardInterrupt):
            return []

    return complete


@completion
def complete_tenants(app: App) -> Iterable[str]:
    """From the live cluster, within a second."""
    from cephctl.tenants.layout import tenant_names

    return app.quickly(tenant_names)


@completion
def complete_nodes(app: App) -> Iterable[str]:
    return [node.name for node in app.config.nodes]


@completion
def complete_nodes_and_shards(app: App) -> Iterable[str]:
    return dict.fromkeys(name for node in app.config.nodes for name in (node.name, node.shard))


@completion
def complete_runs(app: App) -> Iterable[str]:
    """Runs of this machine."""
    from cephctl.rotation.journal import journals

    return [each.run for each in journals(app.config["runs.directory"])]


NODES = click.argument("nodes", metavar="[NODE]...", nargs=-1, shell_complete=complete_nodes)
TENANTS = click.argument("names", metavar="[NAME]...", nargs=-1, shell_complete=complete_tenants)

THRESHOLDS = {"warn": Severity.WARN, "err": Severity.ERR}
FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice([*THRESHOLDS, "never"]),
    default="err",
    show_default=True,
    callback=lambda ctx, parameter, value: THRESHOLDS.get(value),
    help="Exit with 3 when a finding is at least this bad.",
)
"""The function gets the least severity that makes the command exit with 3; None for never."""


NODES_OR_SHARDS = click.argument(
    "names", metavar="[NODE|SHARD]...", nargs=-1, shell_complete=complete_nodes_and_shards
)
ALL_NODES = click.option("--all", "everything", is_flag=True, help="All nodes of the inventory.")
SKIP_NODES = click.option(
    "--skip",
    multiple=True,
    metavar="NODE",
    help="Leave this node out; may be repeated.",
    shell_complete=complete_nodes,
)
REASON = click.option(
    "--reason", metavar="TEXT", help="Why nodes are left out; it is written to the journal."
)
