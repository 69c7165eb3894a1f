from __future__ import annotations

import csv
import io
import json
from dataclasses import dataclass
from datetime import UTC, datetime

import pytest
import yaml

from cephctl.render import render
from cephctl.results import Column, Finding, Kind, Record, Severity, Table


@dataclass(frozen=True)
class Row(Record):
    name: str
    size: int
    limit: int | None
    at: datetime | None
    hidden: str = "only in json"

    columns = (
        Column("name", "NAME"),
        Column("size", "SIZE", Kind.SIZE),
        Column("limit", "LIMIT", Kind.LIMIT),
        Column("at", "AT", Kind.AGO),
    )


ROWS = Table(
    Row,
    (
        Row("[v2:10.0.0.1:3300/0]", 1 << 30, None, datetime(2020, 1, 1, tzinfo=UTC)),
        Row("[/b]:x:", 5, 1 << 20, None),
    ),
)


def text(value: Table[Record] | Record, form: str, colour: str = "never") -> str:
    buffer = io.StringIO()
    render(value, form, buffer, colour)
    return buffer.getvalue()


def test_a_table_keeps_every_character_and_pads_no_line() -> None:
    lines = text(ROWS, "table").splitlines()
    assert lines[1].startswith("[v2:10.0.0.1:3300/0]  1 GiB   none")
    assert lines[2].startswith("[/b]:x:")
    assert not any(line.endswith(" ") for line in lines)


def test_json_and_yaml_have_all_fields_raw() -> None:
    expected = {
        "name": "[/b]:x:",
        "size": 5,
        "limit": 1 << 20,
        "at": None,
        "hidden": "only in json",
    }
    assert json.loads(text(ROWS, "json"))[1] == expected
    assert yaml.safe_load(text(ROWS, "yaml"))[1] == expected
    assert json.loads(text(ROWS, "json"))[0]["at"] == "2020-01-01T00:00:00Z"


def test_csv_has_the_tables_columns_raw() -> None:
    rows = list(csv.DictReader(io.StringIO(text(ROWS, "csv"))))
    assert rows[1] == {"name": "[/b]:x:", "size": "5", "limit": "1048576", "at": ""}


@pytest.mark.parametrize(
    ("form", "expected"),
    [("json", "[]\n"), ("yaml", "[]\n"), ("csv", "name,size,limit,at\n"), ("table", "")],
)
def test_nothing(form: str, expected: str) -> None:
    assert text(Table(Row, ()), form) == expected


def test_a_terminal_takes_no_orders_from_names() -> None:
    shown = text(Table(Row, (Row("a\x1b[31mb\n\udcff", 1, 1, None),)), "table")
    assert "\x1b" not in shown
    assert len(shown.splitlines()) == 2
    json.loads(text(Table(Row, (Row("\udcff", 1, 1, None),)), "json"))


def test_wide_characters_are_aligned() -> None:
    lines = text(
        Table(Row, (Row("日本", 1, 1, None), Row("abcd", 1, 1, None))), "table"
    ).splitlines()
    assert lines[1].index("1 B") + 2 == lines[2].index("1 B")


def test_colour_comes_from_severity_alone() -> None:
    finding = Finding("MDS_X", Severity.ERR, "broken", ("mds.a",))
    table = Table(Finding, (finding, Finding("Y", Severity.OK, "fine")))
    assert "\x1b[31mERR" in text(table, "table", "always")
    assert text(table, "table", "always").count("\x1b[3") == 1
    assert "\x1b" not in text(table, "table")
    assert json.loads(text(table, "json"))[0]["severity"] == "HEALTH_ERR"
