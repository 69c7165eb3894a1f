"""Write a result as table, json, yaml or csv; the only module that knows how any of them looks.

Tables are drawn here and not by rich: for 10,000 rows rich took more than 50 times as long
(measured; `python -m tests.bench_tables` measures it again).
"""

from __future__ import annotations

import dataclasses
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from typing import TextIO, TypeAlias

from cephctl.parse import Json
from cephctl.results import Column, Finding, Kind, Record, Severity, Table
from cephctl.text import printable
from cephctl.units import format_ago, format_duration, format_size

NUMBERS = (Kind.COUNT, Kind.SIZE, Kind.LIMIT, Kind.NUMBER_LIMIT, Kind.PERCENT)
GAP = "  "
INDENT = " " * 8
COLOURS = {Severity.WARN: "33", Severity.ERR: "31", Severity.UNKNOWN: "35"}
STATES = {
    "HEALTH_OK": Severity.OK,
    "HEALTH_WARN": Severity.WARN,
    "HEALTH_ERR": Severity.ERR,
    "failed": Severity.ERR,
    "damaged": Severity.ERR,
    "stale": Severity.WARN,
}
Shown: TypeAlias = Table[Record] | Record
"""What a command answers, but for plain text."""


def render(
    value: Shown | str,
    form: str,
    stream: TextIO,
    colour: str = "auto",
    columns: Sequence[str] = (),
) -> None:
    """Write a Record, a Table or text to a stream; `columns` are the fields that a table or csv
    shows.
    """
    match form:
        case _ if isinstance(value, str):
            stream.write(value)
        case "json":
            import json

            json.dump(plain(value), stream, indent=2)
            stream.write("\n")
        case "yaml":
            import yaml

            yaml.safe_dump(plain(value), stream, sort_keys=False, allow_unicode=True)
        case "csv":
            write_csv(value, stream, columns)
        case _:
            write_table(value, stream, colour, columns)


def plain(value: object) -> Json:
    """A value in JSON's types: all fields, raw numbers, RFC 3339 UTC.

    >>> plain(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))
    '2026-01-02T03:04:05Z'
    """
    if isinstance(value, Table):
        return [plain(row) for row in value.rows]
    if isinstance(value, (tuple, list)):
        return [plain(item) for item in value]
    if dataclasses.is_dataclass(value):
        return {
            field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)
        }
    return scalar(value)


def scalar(value: object) -> Json:
    match value:
        case Severity():
            return severity_word(value)
        case datetime():
            return value.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
        case str():
            return value.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return value


def severity_word(severity: Severity) -> str:
    """Ceph's own words, so that people's jq already knows them."""
    return f"HEALTH_{severity.name}" if severity is not Severity.UNKNOWN else severity.name


def write_csv(value: Shown, stream: TextIO, names: Sequence[str] = ()) -> None:
    """The table's columns with raw values; of a report, its first section."""
    import csv

    table = as_table(value)
    writer = csv.writer(stream, lineterminator="\n")
    columns = columns_of(table.type, names)
    writer.writerow(column.field for column in columns)
    for row in table.rows:
        writer.writerow(csv_cell(getattr(row, column.field)) for column in columns)


def csv_cell(value: object) -> Json:
    raw = plain(value)
    if isinstance(raw, list):
        return " ".join(map(str, raw))
    return "" if raw is None else raw


def as_table(value: Shown) -> Table[Record]:
    if isinstance(value, Table):
        return value
    if not value.columns:
        field, kind = value.sections[0]
        return Table(kind, getattr(value, field))
    return Table(type(value), (value,))


def write_table(value: Shown, stream: TextIO, colour: str, names: Sequence[str] = ()) -> None:
    """Blocks with an empty line between them. Nothing is folded or cut: a line is a row."""
    coloured = stream.isatty() if colour == "auto" else colour == "always"
    if names:
        blocks = [grid(as_table(value), coloured, names)]
    else:
        blocks = [block for block in blocks_of(value, coloured) if block]
    stream.write("\n".join("".join(f"{line.rstrip()}\n" for line in block) for block in blocks))


def blocks_of(value: Shown, coloured: bool) -> Iterator[list[str]]:
    """What a person is shown of a value, one block after the other."""
    if isinstance(value, Table):
        yield grid(value, coloured)
        return
    if value.columns:
        yield properties(value, coloured)
    for field, kind in value.sections:
        rows = getattr(value, field)
        if kind is Finding:
            yield findings(rows, coloured)
        else:
            yield grid(Table(kind, rows), coloured)
            yield from below(rows, kind, coloured)


def below(rows: tuple[Record, ...], kind: type[Record], coloured: bool) -> Iterator[list[str]]:
    """The findings that rows of a table have, each under the row's name."""
    for row in rows:
        found = [
            each
            for field, type_ in kind.sections
            if type_ is Finding
            for each in many(getattr(row, field))
        ]
        if found:
            yield [str(getattr(row, kind.columns[0].field)), *findings(tuple(found), coloured)]


def many(value: Json) -> tuple[Finding, ...]:
    return value if isinstance(value, tuple) else () if value is None else (value,)


def grid(table: Table[Record], coloured: bool, names: Sequence[str] = ()) -> list[str]:
    """A table without lines. Default columns that are empty in all rows are left out."""
    if not table.rows:
        return []
    now = datetime.now(UTC)
    columns = columns_of(table.type, names)
    if not names:
        columns = [column for column in columns if not is_empty(table, column)]
    cells = [
        [people(getattr(row, column.field), column.kind, now) for column in columns]
        for row in table.rows
    ]
    widths = [
        max(map(width, texts))
        for texts in zip([column.title for column in columns], *cells, strict=True)
    ]
    lines = [GAP.join(aligned(c.title, w, c.kind) for c, w in zip(columns, widths, strict=True))]
    for row, texts in zip(table.rows, cells, strict=True):
        parts = zip(columns, widths, texts, strict=True)
        lines.append(
            GAP.join(
                paint(aligned(t, w, c.kind), style_of(getattr(row, c.field), c.kind), coloured)
                for c, w, t in parts
            )
        )
    return lines


def columns_of(kind: type[Record], names: Sequence[str]) -> list[Column]:
    """The columns with these names of fields, or the default ones where there is none of them."""
    usual = {column.field: column for column in kind.columns}
    fields = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # every Record is one
    chosen = [name for name in names if name in fields]
    if not chosen:
        return list(kind.columns)
    return [usual.get(name) or Column(name, name.upper().replace("_", " ")) for name in chosen]


def is_empty(table: Table[Record], column: Column) -> bool:
    return column.kind is not Kind.LIMIT and all(
        is_blank(getattr(row, column.field)) for row in table.rows
    )


def is_blank(value: object) -> bool:
    return value is None or value is False or value in ("", ())


def properties(record: Record, coloured: bool) -> list[str]:
    """One record, a line per field."""
    now = datetime.now(UTC)
    left = max(len(column.title) for column in record.columns)
    values = [(column, getattr(record, column.field)) for column in record.columns]
    lines = []
    for column, value in values:
        text = people(value, column.kind, now)
        painted = paint(text, style_of(value, column.kind), coloured)
        lines.append(f"{column.title:{left}}{GAP}{painted}")
    return lines


def findings(rows: tuple[Finding, ...], coloured: bool) -> list[str]:
    """Findings as `ceph health detail` prints them."""
    lines = []
    for finding in rows:
        severity = paint(f"{finding.severity.name:<8}", finding.severity, coloured)
        lines.append(f"{severity}{finding.code}: {printable(finding.summary)}")
        lines += [f"{INDENT}{printable(line)}" for line in finding.detail]
        lines += [f"{INDENT}node:    {printable(line)}" for line in finding.node_says]
        lines += [f"{INDENT}cluster: {printable(line)}" for line in finding.cluster_says]
        if finding.remedy:
            where = f"on {finding.remedy_host}: " if finding.remedy_host else ""
            lines.append(f"{INDENT}do:      {where}{printable(finding.remedy)}")
    return lines


def aligned(text: str, columns: int, kind: Kind) -> str:
    space = " " * (columns - width(text))
    return space + text if kind in NUMBERS else text + space


def width(text: str) -> int:
    """Columns on a terminal."""
    if text.isascii():
        return len(text)
    return sum(
        0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1
        for c in text
    )


def paint(text: str, severity: Severity | None, coloured: bool) -> str:
    code = COLOURS.get(severity) if severity is not None and coloured else None
    return f"\x1b[{code}m{text}\x1b[0m" if code else text


def style_of(value: Json, kind: Kind) -> Severity | None:
    """How bad a value is on its own; the only reason for colour."""
    if kind is Kind.SEVERITY:
        return Severity(value)
    if kind is Kind.STATE:
        return STATES.get(value)
    if kind is Kind.PERCENT and value is not None:
        return Severity.ERR if value >= 100 else Severity.WARN if value >= 90 else None
    return None


WRITERS: dict[Kind, Callable[[Json], str]] = {
    Kind.SIZE: format_size,
    Kind.LIMIT: format_size,
    Kind.PERCENT: "{:g}%".format,
    Kind.DURATION: format_duration,
    Kind.SEVERITY: lambda severity: str(severity.name),
}


def people(value: Json, kind: Kind, now: datetime) -> str:
    """One value as people read it.

    >>> now = datetime(2026, 1, 1, tzinfo=UTC)
    >>> people(1 << 30, Kind.SIZE, now), people(None, Kind.LIMIT, now)
    ('1 GiB', 'none')
    """
    if value is None:
        return "none" if kind in (Kind.LIMIT, Kind.NUMBER_LIMIT) else "-"
    if kind is Kind.AGO:
        return format_ago(value, now)
    if kind is Kind.TIME:
        return str(value.astimezone().strftime("%Y-%m-%d %H:%M:%S"))
    if kind in WRITERS:
        return WRITERS[kind](value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    return (
        (", ".join(map(printable, value)) or "-")
        if isinstance(value, tuple)
        else printable(str(value))
    )
