"""What tenants use, from CephFS's recursive statistics."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cephctl.ceph.filesystem import Entry
from cephctl.errors import CephctlError
from cephctl.results import Column, Kind, Record
from cephctl.tenants.layout import Tenants
from cephctl.tenants.quota import QUOTA, RENTRIES, ancestors_limits, effective_limit, parse_limits
from cephctl.units import percent

LAG = 10
"""Seconds by which a tenant's figures can be behind. A file's own directory is current; each level
above follows the MDS's scatter nudge (measured on 16.2, idle cluster: 9.7 to 10 s).
"""
RFILES, RSUBDIRS, RCTIME = "ceph.dir.rfiles", "ceph.dir.rsubdirs", "ceph.dir.rctime"
STATISTICS = (QUOTA, RFILES, RSUBDIRS, RCTIME)


@dataclass(frozen=True)
class Usage(Record):
    """A tenant's recursive statistics and limits; a limit that is not set is None. `percent` is
    rbytes of max_bytes.
    """

    name: str
    rbytes: int
    rfiles: int
    rsubdirs: int
    max_bytes: int | None
    max_files: int | None
    percent: float | None
    rctime: datetime | None

    columns = (
        Column("name", "NAME"),
        Column("rbytes", "USED", Kind.SIZE),
        Column("max_bytes", "LIMIT", Kind.LIMIT),
        Column("percent", "%USED", Kind.PERCENT),
        Column("rfiles", "FILES", Kind.COUNT),
        Column("max_files", "FILE LIMIT", Kind.NUMBER_LIMIT),
        Column("rsubdirs", "DIRS", Kind.COUNT),
        Column("rctime", "CHANGED", Kind.AGO),
    )


@dataclass(frozen=True)
class TenantDetail(Record):
    """All there is to know of one tenant without walking its files."""

    name: str
    path: str
    file_system: str
    uid: int
    gid: int
    mode: str
    rbytes: int
    rfiles: int
    rsubdirs: int
    rentries: int
    max_bytes: int | None
    max_files: int | None
    percent: float | None
    effective_max_bytes: int | None
    effective_path: str | None
    rctime: datetime | None

    columns = (
        Column("name", "name"),
        Column("path", "path"),
        Column("file_system", "file system"),
        Column("uid", "uid", Kind.COUNT),
        Column("gid", "gid", Kind.COUNT),
        Column("mode", "mode"),
        Column("rbytes", "used", Kind.SIZE),
        Column("max_bytes", "limit", Kind.LIMIT),
        Column("percent", "percent used", Kind.PERCENT),
        Column("effective_max_bytes", "effective limit", Kind.LIMIT),
        Column("effective_path", "set at"),
        Column("rfiles", "files", Kind.COUNT),
        Column("rsubdirs", "directories", Kind.COUNT),
        Column("max_files", "file limit", Kind.NUMBER_LIMIT),
        Column("rctime", "changed", Kind.AGO),
    )


@dataclass(frozen=True)
class Selection:
    """Which tenants a report shows, and in what order."""

    sort: str = "name"
    over: float | None = None
    top: int | None = None


# A descending order puts what needs attention first; what has no limit comes last.
ORDERS: dict[str, Callable[[Usage], Any]] = {
    "name": lambda usage: usage.name,
    "used": lambda usage: -usage.rbytes,
    "files": lambda usage: -usage.rfiles,
    "percent": lambda usage: -(usage.percent if usage.percent is not None else -1),
}


def measure(
    tenants: Tenants, names: tuple[str, ...], selection: Selection
) -> Iterator[Usage | CephctlError]:
    """Usage of these tenants or all. rbytes come with the listing; a request per value is made only
    for rows that are shown.

    The largest tenants of many (`sort="used"` with `top`) cost one listing and `top` rows of
    requests.
    """
    entries: dict[str, Entry] = {}
    for found in tenants.select(names):
        if isinstance(found, CephctlError):
            yield found
        else:
            entries[tenants.path(found.name)] = found
    if selection.over is None and selection.sort in ("name", "used") and selection.top is not None:
        order: Callable[[Entry], Any] = (
            (lambda e: e.name) if selection.sort == "name" else (lambda e: -e.size)
        )
        entries = {
            tenants.path(entry.name): entry
            for entry in sorted(entries.values(), key=order)[: selection.top]
        }
    found_usage = (
        usage_of(entries[path], values) for path, values in tenants.fs.xattrs(entries, STATISTICS)
    )
    yield from select(
        list(found_usage), selection, keep_order=bool(names) and selection.sort == "name"
    )


def select(usages: list[Usage], selection: Selection, keep_order: bool = False) -> list[Usage]:
    """The rows a selection leaves, in its order; names that were given keep theirs."""
    if selection.over is not None:
        usages = [
            usage
            for usage in usages
            if usage.percent is not None and usage.percent > selection.over
        ]
    if not keep_order:
        usages = sorted(usages, key=lambda usage: (ORDERS[selection.sort](usage), usage.name))
    return usages[: selection.top]


def usage_of(entry: Entry, values: dict[str, str | None]) -> Usage:
    limits = parse_limits(values[QUOTA])
    return Usage(
        entry.name,
        entry.size,
        int(values[RFILES] or 0),
        int(values[RSUBDIRS] or 0),
        limits.max_bytes,
        limits.max_files,
        percent(entry.size, limits.max_bytes or 0),
        parse_rctime(values[RCTIME]),
    )


def parse_rctime(value: str | None) -> datetime | None:
    """The attribute's whole seconds; its fraction is garbled by a literal "09" in Ceph's format
    string.

    >>> parse_rctime("1795422817.09123456").isoformat()
    '2026-11-23T08:33:37+00:00'
    >>> parse_rctime("0.090")
    """
    seconds = int((value or "0").partition(".")[0])
    return datetime.fromtimestamp(seconds, UTC) if seconds else None


def detail(tenants: Tenants, name: str) -> Iterator[TenantDetail]:
    """Everything about one tenant; exactly one result."""
    entry, path = tenants.find(name), tenants.path(name)
    values = dict(tenants.fs.xattrs([path], (*STATISTICS, RENTRIES))).get(path)
    if values is None:
        raise tenants.unknown(name)
    usage = usage_of(entry, values)
    effective, place = effective_limit(ancestors_limits(tenants), path, usage.max_bytes)
    yield TenantDetail(
        name,
        path,
        tenants.fs.name,
        entry.uid,
        entry.gid,
        entry.permissions,
        usage.rbytes,
        usage.rfiles,
        usage.rsubdirs,
        int(values[RENTRIES] or 0),
        usage.max_bytes,
        usage.max_files,
        usage.percent,
        effective,
        place,
        usage.rctime,
    )
