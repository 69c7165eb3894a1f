"""CephFS quotas of tenants: read, set, removed.

A quota is an extended attribute of a directory: `max_bytes=… max_files=…`, of which a request may
name one or both, and 0 removes. 16.2 takes integers only and knows no removexattr for it
(measured).
"""

from __future__ import annotations

import posixpath
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from cephctl.ceph.filesystem import Entry
from cephctl.errors import CephctlError, NotFound, Refused
from cephctl.results import Column, Kind, Record
from cephctl.tenants.layout import Tenants
from cephctl.units import format_size, percent

QUOTA = "ceph.quota"
RENTRIES = "ceph.dir.rentries"
_LIMIT = re.compile(r"(max_bytes|max_files)=(\d+)")


@dataclass(frozen=True)
class Limits:
    """What a directory's own quota says; None is no limit."""

    max_bytes: int | None = None
    max_files: int | None = None


@dataclass(frozen=True)
class Order:
    """Limits for these tenants, or for all without a name. None leaves a limit as it is, 0 removes
    it. `force` sets one that is below what is used.
    """

    names: tuple[str, ...]
    max_bytes: int | None
    max_files: int | None
    force: bool


@dataclass(frozen=True)
class Quota(Record):
    """A tenant's limits. `effective_max_bytes` is the tightest of its own and its ancestors', set
    at `effective_path`.
    """

    name: str
    max_bytes: int | None
    max_files: int | None
    rbytes: int
    rentries: int
    percent: float | None
    effective_max_bytes: int | None
    effective_path: str | None

    columns = (
        Column("name", "NAME"),
        Column("max_bytes", "LIMIT", Kind.LIMIT),
        Column("max_files", "FILE LIMIT", Kind.NUMBER_LIMIT),
        Column("rbytes", "USED", Kind.SIZE),
        Column("percent", "%USED", Kind.PERCENT),
        Column("effective_max_bytes", "EFFECTIVE", Kind.LIMIT),
        Column("effective_path", "SET AT"),
    )


@dataclass(frozen=True)
class QuotaChange(Record):
    """A tenant's limits before and after; None is no limit. `changed` is false where they were set
    already.

    `first_limit`: renames into or out of the directory fail with EXDEV from now on. `superseded`:
    another client set another limit meanwhile, and that one holds. `tighter_path` is the ancestor
    whose limit is tighter.
    """

    name: str
    before_max_bytes: int | None
    after_max_bytes: int | None
    before_max_files: int | None
    after_max_files: int | None
    rbytes: int
    rentries: int
    percent: float | None
    effective_max_bytes: int | None
    effective_path: str | None
    changed: bool
    first_limit: bool
    superseded: bool
    tighter_path: str | None

    columns = (
        Column("name", "NAME"),
        Column("before_max_bytes", "LIMIT BEFORE", Kind.LIMIT),
        Column("after_max_bytes", "LIMIT AFTER", Kind.LIMIT),
        Column("before_max_files", "FILES BEFORE", Kind.NUMBER_LIMIT),
        Column("after_max_files", "FILES AFTER", Kind.NUMBER_LIMIT),
        Column("rbytes", "USED", Kind.SIZE),
        Column("percent", "%USED", Kind.PERCENT),
        Column("effective_max_bytes", "EFFECTIVE", Kind.LIMIT),
        Column("effective_path", "SET AT"),
    )


def parse_limits(value: str | None) -> Limits:
    """The `ceph.quota` attribute.

    >>> parse_limits("max_bytes=10737418240 max_files=0")
    Limits(max_bytes=10737418240, max_files=None)
    >>> parse_limits(None)
    Limits(max_bytes=None, max_files=None)
    """
    found = {name: int(number) or None for name, number in _LIMIT.findall(value or "")}
    return Limits(found.get("max_bytes"), found.get("max_files"))


def read_quotas(tenants: Tenants, names: tuple[str, ...]) -> Iterator[Quota | CephctlError]:
    """The limits of these tenants or all; a name that is none comes as its error."""
    above = ancestors_limits(tenants)
    entries: dict[str, Entry] = {}
    for found in tenants.select(names):
        if isinstance(found, CephctlError):
            yield found
        else:
            entries[tenants.path(found.name)] = found
    for path, values in tenants.fs.xattrs(entries, (QUOTA, RENTRIES)):
        limits = parse_limits(values[QUOTA])
        yield quota_of(entries[path], path, limits, int(values[RENTRIES] or 0), above)


def quota_of(
    entry: Entry, path: str, limits: Limits, rentries: int, above: dict[str, int]
) -> Quota:
    effective, place = effective_limit(above, path, limits.max_bytes)
    share = percent(entry.size, limits.max_bytes or 0)
    return Quota(
        entry.name,
        limits.max_bytes,
        limits.max_files,
        entry.size,
        rentries,
        share,
        effective,
        place,
    )


def ancestors_limits(tenants: Tenants) -> dict[str, int]:
    """max_bytes of the root and of all above it, where there is one: they bind every tenant too."""
    paths = [tenants.root]
    while paths[-1] != "/":
        paths.append(posixpath.dirname(paths[-1]))
    limits = {
        path: parse_limits(values[QUOTA]) for path, values in tenants.fs.xattrs(paths, (QUOTA,))
    }
    if tenants.root not in limits:
        raise tenants.no_root()
    return {path: each.max_bytes for path, each in limits.items() if each.max_bytes}


def effective_limit(
    above: dict[str, int], path: str, own: int | None
) -> tuple[int | None, str | None]:
    """The tightest limit on a path, and where it is set; the path's own wins a tie.

    >>> effective_limit({"/": 100}, "/acme", 500), effective_limit({}, "/acme", None)
    ((100, '/'), (None, None))
    """
    limits = ({path: own} if own else {}) | above
    place = min(limits, key=lambda each: limits[each], default=None)
    return (limits[place], place) if place is not None else (None, None)


def plan_change(quota: Quota, order: Order, above: dict[str, int], path: str) -> QuotaChange:
    """What the order would change."""
    after = Limits(
        quota.max_bytes if order.max_bytes is None else order.max_bytes or None,
        quota.max_files if order.max_files is None else order.max_files or None,
    )
    return change_of(quota, after, above, path)


def change_of(quota: Quota, after: Limits, above: dict[str, int], path: str) -> QuotaChange:
    """From the quota as it was to these limits."""
    effective, place = effective_limit(above, path, after.max_bytes)
    had, has = quota.max_bytes or quota.max_files, after.max_bytes or after.max_files
    return QuotaChange(
        name=quota.name,
        before_max_bytes=quota.max_bytes,
        after_max_bytes=after.max_bytes,
        before_max_files=quota.max_files,
        after_max_files=after.max_files,
        rbytes=quota.rbytes,
        rentries=quota.rentries,
        percent=percent(quota.rbytes, after.max_bytes or 0),
        effective_max_bytes=effective,
        effective_path=place,
        changed=after != Limits(quota.max_bytes, quota.max_files),
        first_limit=bool(has and not had),
        superseded=False,
        tighter_path=place if after.max_bytes and effective != after.max_bytes else None,
    )


def below_usage(change: QuotaChange) -> str | None:
    """Why a new limit would stop the tenant's writes at once, if it would."""
    if (
        change.after_max_bytes
        and change.after_max_bytes < change.rbytes
        and change.after_max_bytes != change.before_max_bytes
    ):
        used, limit = format_size(change.rbytes), format_size(change.after_max_bytes)
        if used == limit:
            used, limit = f"{change.rbytes} bytes", f"{change.after_max_bytes}"
        return f"{change.name} uses {used}, more than {limit}"
    if (
        change.after_max_files
        and change.after_max_files < change.rentries
        and change.after_max_files != change.before_max_files
    ):
        return (
            f"{change.name} has {change.rentries} files and directories, more than "
            f"{change.after_max_files}"
        )
    return None


def set_quotas(
    tenants: Tenants, order: Order, dry_run: bool
) -> Iterator[QuotaChange | CephctlError]:
    """First everything is checked, then everything is changed.

    `after` is what the cluster says after the change. Raises before anything is changed: the first
    unknown name's error, or Refused when a limit is below what is used. A tenant that vanished
    meanwhile comes as its error, and the others continue.
    """
    above = ancestors_limits(tenants)
    changes: list[tuple[Quota, QuotaChange]] = []
    for quota in read_quotas(tenants, order.names):
        if isinstance(quota, CephctlError):
            raise quota
        changes.append((quota, plan_change(quota, order, above, tenants.path(quota.name))))
    if not order.force:
        refuse_below_usage([change for _, change in changes])
    for quota, change in changes:
        try:
            yield (
                change
                if dry_run or not change.changed
                else carry_out(tenants, quota, change, above)
            )
        except NotFound:
            yield tenants.unknown(quota.name)


def refuse_below_usage(changes: list[QuotaChange]) -> None:
    problems = [problem for change in changes if (problem := below_usage(change))]
    if problems:
        more = f" (and {len(problems) - 1} more)" if len(problems) > 1 else ""
        raise Refused(
            f"{problems[0]}{more}; nothing was changed",
            "writes would fail with EDQUOT at once; --force sets it anyway",
        )


def carry_out(
    tenants: Tenants, quota: Quota, change: QuotaChange, above: dict[str, int]
) -> QuotaChange:
    """Set what differs in one request, so that nothing is partially set; then report what the
    cluster has now.
    """
    wanted = []
    if change.before_max_bytes != change.after_max_bytes:
        wanted.append(f"max_bytes={change.after_max_bytes or 0}")
    if change.before_max_files != change.after_max_files:
        wanted.append(f"max_files={change.after_max_files or 0}")
    path = tenants.path(quota.name)
    tenants.fs.set_xattr(path, QUOTA, " ".join(wanted))
    now = change_of(quota, parse_limits(tenants.fs.xattr(path, QUOTA)), above, path)
    wanted_limits = Limits(change.after_max_bytes, change.after_max_files)
    superseded = Limits(now.after_max_bytes, now.after_max_files) != wanted_limits
    return replace(now, changed=True, superseded=superseded)


def warnings_of(changes: Sequence[QuotaChange]) -> Iterator[str]:
    """What an operator must know of changes, in sentences; the fields have the same."""
    for change in changes:
        if change.superseded:
            yield f"{change.name}: another client set another limit meanwhile, and that one holds"
    first = [change.name for change in changes if change.first_limit]
    if first:
        whose = first[0] if len(first) == 1 else f"{len(first)} tenants"
        yield (
            f"{whose}: first quota: renames into or out of the directory now fail with EXDEV; "
            "mv copies instead"
        )
    for change in [change for change in changes if change.tighter_path][:1]:
        yield f"{change.name}: a tighter limit at {change.tighter_path} applies too"


def unchanged_note(changes: Sequence[QuotaChange]) -> str | None:
    names = [change.name for change in changes if not change.changed]
    if not names:
        return None
    count = f"{len(names)} tenant{'' if len(names) == 1 else 's'}"
    return f"{count} had these limits already: {names[0]}{' …' if names[1:] else ''}"
