"""cephctl tenant"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import click

from cephctl.cli.app import App
from cephctl.cli.options import TENANTS, Noun, Size, complete_tenants
from cephctl.errors import CephctlError, Interrupted, Unanswered, UsageError
from cephctl.results import Outcome, Table, collect
from cephctl.units import SIZE_FORMS

if TYPE_CHECKING:
    from cephctl.tenants.quota import Order
    from cephctl.tenants.usage import TenantDetail

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

    return collect(Tenant, app.ask_tenants(list_tenants))


@group.command()
@click.argument("name", shell_complete=complete_tenants)
@click.pass_obj
def show(app: App, name: str) -> TenantDetail:
    """Show one tenant in full.

    Its owner, usage and limits; and the effective limit, which an ancestor can make tighter than
    its own.
    """
    from cephctl.tenants.usage import detail

    found: TenantDetail
    [found] = app.ask_tenants(partial(detail, name=name))
    return found


@group.command()
@TENANTS
@click.option(
    "--sort",
    type=click.Choice(SORTS),
    default="name",
    show_default=True,
    help="Sort order; largest first, except for name.",
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

    Bytes, files, directories, the limits, and when anything last changed. The figures are CephFS's
    recursive statistics: nothing is walked, and they lag writes by about ten seconds.

    \b
    Examples:
      cephctl tenant usage                       all of them, by name
      cephctl tenant usage --sort used --top 20  the largest
      cephctl tenant usage --over 90             who is nearly full
    """
    from cephctl.tenants.usage import LAG, Selection, Usage, measure

    selection = Selection(sort, over, top)
    note = f"figures can be up to about {LAG} s old"
    return collect(Usage, app.ask_tenants(partial(measure, names=names, selection=selection)), note)


@group.group(cls=Noun)
def quota() -> None:
    """Limits of tenants: read, set, remove."""


@quota.command("get")
@TENANTS
@click.pass_obj
def quota_get(app: App, names: tuple[str, ...]) -> Outcome:
    """Show limits of tenants.

    Without NAME, of all tenants. EFFECTIVE is the tightest limit on the path, and SET AT where it
    is set: an ancestor's limit applies to its tenants too.
    """
    from cephctl.tenants.quota import Quota, read_quotas

    return collect(Quota, app.ask_tenants(partial(read_quotas, names=names)))


@quota.command(
    "set",
    changes=True,
    help=f"""Limit tenants to SIZE.

    SIZE is {SIZE_FORMS}. 0 removes the limit.

    The limit applies to everything below the tenant's directory. Clients enforce it, with a delay:
    a fast writer can exceed it. A limit below current usage is refused unless --force is given.

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
    help="Set ceph.quota.max_files; 0 removes it.",
)
@click.option("--all", "every", is_flag=True, help="All tenants.")
@click.option(
    "--force", is_flag=True, help="Set a limit below current usage; writes then fail at once."
)
@click.pass_obj
def quota_set(
    app: App, names: tuple[str, ...], size: int, max_files: int | None, every: bool, force: bool
) -> Outcome:
    from cephctl.tenants.quota import Order

    return change_quotas(app, every, Order(names, size, max_files, force))


@quota.command("clear", changes=True)
@click.argument("names", metavar="NAME...", nargs=-1, shell_complete=complete_tenants)
@click.option("--all", "every", is_flag=True, help="All tenants.")
@click.pass_obj
def quota_clear(app: App, names: tuple[str, ...], every: bool) -> Outcome:
    """Remove all limits of tenants.

    Both that of bytes and that of files.
    """
    from cephctl.tenants.quota import Order

    return change_quotas(app, every, Order(names, 0, 0, force=True))


def change_quotas(app: App, every: bool, order: Order) -> Outcome:
    """Plan, ask, execute; with --yes at once."""
    from cephctl.tenants.quota import QuotaChange, set_quotas, unchanged_note, warnings_of

    check_choice(order.names, every)
    if not (app.yes or app.dry_run):
        planned = app.ask_tenants(partial(set_quotas, order=order, dry_run=True))
        plan = tuple(each for each in planned if isinstance(each, QuotaChange) and each.changed)
        if plan:
            warn(app, warnings_of(plan))
            app.confirm(Table(QuotaChange, plan), f"Change the limits of {len(plan)} tenants?")
    try:
        answers = app.ask_tenants(partial(set_quotas, order=order, dry_run=app.dry_run))
        outcome = collect(QuotaChange, answers)
    except CephctlError as error:
        warn_of_doubt(app, error)
        raise
    warn_of_doubt(app, *outcome.errors)
    rows = () if outcome.value is None else outcome.value.rows
    warn(app, warnings_of(rows))
    note = "nothing was changed (--dry-run)" if app.dry_run else unchanged_note(rows)
    return replace(outcome, notes=(note,) if note else ())


def check_choice(names: tuple[str, ...], every: bool) -> None:
    if not names and not every:
        raise UsageError("specify a tenant, or --all")
    if names and every:
        raise UsageError(f"'{names[0]}' cannot be combined with --all")


def warn(app: App, lines: Iterator[str]) -> None:
    """Each warning once in a run: a plan and its result have the same."""
    for line in lines:
        if line not in app.warned:
            app.warned.add(line)
            app.warn(line)


def warn_of_doubt(app: App, *errors: CephctlError) -> None:
    """A request that timed out may still be carried out."""
    if not app.dry_run and any(isinstance(error, (Unanswered, Interrupted)) for error in errors):
        app.warn("the last limit may or may not be set; see 'cephctl tenant quota get'")
