"""cephctl tenant"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import click

from cephctl.cli.app import App, table
from cephctl.cli.options import TENANTS, Noun, Size, complete_tenants
from cephctl.errors import CephctlError, Interrupted, Unanswered, UsageError
from cephctl.results import Outcome, Table
from cephctl.units import SIZE_FORMS

if TYPE_CHECKING:
    from cephctl.tenants.quota import QuotaChange

SORTS = ("name", "used", "percent", "files")


@click.group("tenant", cls=Noun)
def group() -> None:
    """Tenants: list them, their usage, their quotas."""


@group.command("list")
@click.pass_obj
def list_(app: App) -> Outcome:
    """List tenants.

    A tenant is every directory in the tenants' root whose name does not begin with a dot.

    \b
    Examples:
      cephctl tenant list
      cephctl tenant list -f json | jq -r '.[].name'
    """
    from cephctl.tenants.layout import Tenant, list_tenants

    return table(Tenant, app.ask_tenants(list_tenants))


@group.command()
@click.argument("name", shell_complete=complete_tenants)
@click.pass_obj
def show(app: App, name: str) -> Any:
    """Show one tenant in full.

    Its owner, usage and limits; and the effective limit, which an ancestor can make tighter than its own.
    """
    from cephctl.tenants.usage import detail

    [found] = app.ask_tenants(partial(detail, name=name))
    return found


@group.command()
@TENANTS
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="name",
    show_default=True,
    help="Largest first, but for names.",
)
@click.option(
    "--over",
    type=click.FloatRange(min=0),
    metavar="PERCENT",
    help="Only tenants above this share of their limit.",
)
@click.option("--top", type=click.IntRange(min=1), metavar="N", help="Only the first N.")
@click.pass_obj
def usage(
    app: App, names: tuple[str, ...], sort: str, over: float | None, top: int | None
) -> Outcome:
    """Show what tenants use.

    Bytes, files, directories, the limits, and when anything last changed. The figures are CephFS's recursive statistics:
    nothing is walked, and they lag writes by about ten seconds.

    \b
    Examples:
      cephctl tenant usage                       all of them, by name
      cephctl tenant usage --sort used --top 20  the largest
      cephctl tenant usage --over 90             who is nearly full
    """
    from cephctl.tenants.usage import LAG, Selection, Usage, measure

    selection = Selection(sort, over, top)
    note = f"figures can be up to about {LAG} s old"
    return table(Usage, app.ask_tenants(partial(measure, names=names, selection=selection)), note)


@group.group(cls=Noun)
def quota() -> None:
    """Limits of tenants: read, set, remove."""


@quota.command("get")
@TENANTS
@click.pass_obj
def quota_get(app: App, names: tuple[str, ...]) -> Outcome:
    """Show limits of tenants.

    Without a name, of all. EFFECTIVE is the tightest limit on the path, and SET AT where it is set: an ancestor's limit
    binds its tenants too.
    """
    from cephctl.tenants.quota import Quota, read_quotas

    return table(Quota, app.ask_tenants(partial(read_quotas, names=names)))


@quota.command(
    "set",
    changes=True,
    help=f"""Limit tenants to SIZE.

    SIZE is {SIZE_FORMS}. 0 removes the limit.

    The limit holds for everything below the tenant's directory. It is enforced by the clients and approximate: many
    files written at once can overshoot it. A limit below what is used is refused unless --force is given.

    \b
    Examples:
      cephctl tenant quota set acme 10G
      cephctl tenant quota set acme blog 1.5T --max-files 500000
      cephctl tenant quota set --all 20G --dry-run
    """,
)
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=complete_tenants)
@click.argument("size", type=Size())
@click.option(
    "--max-files",
    type=click.IntRange(0, 2**63 - 1),
    metavar="N",
    help="Limit files and directories too; 0 removes that limit.",
)
@click.option("--all", "every", is_flag=True, help="All tenants.")
@click.option(
    "--force", is_flag=True, help="Even if more is used already: writes then fail at once."
)
@click.pass_obj
def quota_set(
    app: App, names: tuple[str, ...], size: int, max_files: int | None, every: bool, force: bool
) -> Outcome:
    return change_quotas(app, names, every, force, size, max_files)


@quota.command("clear", changes=True)
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=complete_tenants)
@click.option("--all", "every", is_flag=True, help="All tenants.")
@click.pass_obj
def quota_clear(app: App, names: tuple[str, ...], every: bool) -> Outcome:
    """Remove all limits of tenants.

    Both that of bytes and that of files.
    """
    return change_quotas(app, names, every, force=True, max_bytes=0, max_files=0)


def change_quotas(
    app: App,
    names: tuple[str, ...],
    every: bool,
    force: bool,
    max_bytes: int,
    max_files: int | None,
) -> Outcome:
    """Plan, ask, do; with --yes in one go."""
    from cephctl.tenants.quota import QuotaChange, set_quotas

    check_choice(names, every)

    def changes(dry_run: bool) -> Iterator[Any]:
        return app.ask_tenants(
            partial(
                set_quotas,
                names=names,
                max_bytes=max_bytes,
                max_files=max_files,
                force=force,
                dry_run=dry_run,
            )
        )

    if not (app.yes or app.dry_run):
        ask_first(app, [change for change in changes(dry_run=True) if change.changed])
    try:
        outcome = table(QuotaChange, changes(app.dry_run))
    except CephctlError as error:
        warn_of_doubt(app, error)
        raise
    warn_of_doubt(app, *outcome.errors)
    report(app, [] if outcome.value is None else list(outcome.value.rows), max_bytes)
    return outcome


def ask_first(app: App, plan: list[QuotaChange]) -> None:
    """Show what would change, and go on only when somebody agrees. Nothing to change needs no answer."""
    from cephctl.tenants.quota import QuotaChange

    if plan:
        warn_of_rename(app, plan)
        app.confirm(
            Table(QuotaChange, tuple(plan)), f"Change the limits of {count(len(plan), 'tenant')}?"
        )


def check_choice(names: tuple[str, ...], every: bool) -> None:
    if not names and not every:
        raise UsageError("which tenant? give a name, or --all")
    if names and every:
        raise UsageError(f"'{names[0]}' and --all exclude each other")


def report(app: App, changes: list[QuotaChange], max_bytes: int) -> None:
    """What a person should know besides the figures."""
    for change in changes:
        if (change.after_max_bytes or 0) != max_bytes:
            app.warn(f"{change.name}: somebody else set another limit meanwhile, and theirs holds")
    if app.yes or app.dry_run:
        warn_of_rename(app, changes)
    tighter = [
        c
        for c in changes
        if c.effective_path and c.after_max_bytes and c.effective_max_bytes != c.after_max_bytes
    ]
    for change in tighter[:1]:
        app.warn(f"{change.name}: a tighter limit at {change.effective_path} holds as well")
    if app.dry_run:
        app.note("nothing was changed (--dry-run)")
    elif unchanged := [change for change in changes if not change.changed]:
        app.note(
            f"{count(len(unchanged), 'tenant')} had these limits already: {unchanged[0].name}{' …' if unchanged[1:] else ''}"
        )


def warn_of_doubt(app: App, *errors: CephctlError) -> None:
    """A request that nobody waited for any longer may still be carried out."""
    if not app.dry_run and any(isinstance(error, (Unanswered, Interrupted)) for error in errors):
        app.warn(
            "the last limit that was asked for may or may not hold; see 'cephctl tenant quota get'"
        )


def warn_of_rename(app: App, changes: list[QuotaChange]) -> None:
    """Once, at a tenant's first quota: it makes the directory a boundary that rename(2) does not cross."""
    first = [change.name for change in changes if change.is_first]
    if first:
        whose = first[0] if len(first) == 1 else f"{count(len(first), 'tenant')}"
        app.warn(
            f"{whose}: first quota: renames into or out of the directory now fail with EXDEV; mv copies instead"
        )


def count(number: int, noun: str) -> str:
    return f"{number} {noun}{'' if number == 1 else 's'}"
