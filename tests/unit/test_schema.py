"""The JSON contract is written down, complete, and grows only on purpose."""

from __future__ import annotations

import json
from pathlib import Path

import click
import jsonschema
import pytest

from cephctl.cli import root
from cephctl.results import Record
from cephctl.schema import ANSWERS, record_of, schema
from tests.command import Cephctl

CONTRACT = Path(__file__).with_name("contract.json")
TEXT = {
    "completion bash",
    "completion zsh",
    "completion fish",
    "config init",
    "keys export",
    "schema",
}
"""Commands that answer with text."""
cephctl = Cephctl()


def commands(group: click.Group, context: click.Context, before: str = "") -> set[str]:
    found: set[str] = set()
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        path = f"{before}{name}"
        if isinstance(command, click.Group):
            found |= commands(command, context, f"{path} ")
        else:
            found.add(path)
    return found


def test_every_command_says_what_it_answers() -> None:
    every = commands(root, click.Context(root))
    assert every == {*ANSWERS, *TEXT}


def test_every_record_is_in_the_contract() -> None:
    for answers in ANSWERS.values():
        for each in answers:
            record_of(each)
    missing = {kind.__name__ for kind in kinds(Record)} - set(schema()["$defs"])
    assert not missing


def kinds(kind: type[Record]) -> list[type[Record]]:
    below = kind.__subclasses__()
    return [each for each in below if each.__module__.startswith("cephctl.")] + [
        each for sub in below for each in kinds(sub)
    ]


def test_the_contract_is_as_it_was_agreed() -> None:
    """A field that is renamed or removed breaks scripts. Accept a new one: cephctl schema
    >tests/unit/contract.json
    """
    assert schema() == json.loads(CONTRACT.read_text())


@pytest.mark.parametrize("command", ANSWERS)
def test_each_schema_is_a_schema(command: str) -> None:
    found = schema(command)
    jsonschema.Draft202012Validator.check_schema(found)
    assert json.loads(cephctl("schema", *command.split()).stdout) == found


def test_an_unknown_command_gets_near_names() -> None:
    shown = cephctl("schema", "tenant", "usge")
    assert (shown.status, shown.stdout) == (2, "")
    assert "no schema of 'tenant usge'" in shown.stderr
    assert "did you mean tenant usage" in shown.stderr


def test_columns_are_chosen_and_unknown_ones_get_the_list(tmp_path: Path) -> None:
    config = tmp_path / "cephctl.toml"
    config.write_text('[nodes.web-1]\naddress = "10.0.0.1"\nshard = "a"\n')
    shown = cephctl("node", "list", "--config", str(config), "--columns", "shard,name")
    assert shown.stdout == "SHARD  NODE\na      web-1\n"
    csv = cephctl("--columns", "address", "--config", str(config), "node", "list", "-f", "csv")
    assert csv.stdout == "address\n10.0.0.1\n"
    wrong = cephctl("node", "list", "--config", str(config), "--columns", "adress")
    assert (wrong.status, wrong.stdout) == (2, "")
    assert "columns are: name, address, shard" in wrong.stderr
    json_too = cephctl("node", "list", "--config", str(config), "--columns", "name", "-f", "json")
    assert (json_too.status, "for table and csv" in json_too.stderr) == (2, True)
