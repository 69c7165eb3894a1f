"""The border where facts come in: answers of nodes that are nonsense, files that are damaged."""

from __future__ import annotations

import copy
import json
import random
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from cephctl.config import Node
from cephctl.doctor.check import Layer, Problem, check, load_checks
from cephctl.doctor.gather import Facts, load, node_facts, save
from cephctl.doctor.verdict import examine, prevents_mount
from cephctl.errors import UsageError
from cephctl.nodes.remount import Order, refusals
from cephctl.remedy import on_node, shell, write_file
from cephctl.results import Severity
from cephctl.ssh.hosts import Answer
from tests.command import PROJECT, Cephctl
from tests.lab.faults.fault import NODE

RECORDINGS = PROJECT / "tests/facts"
CHANGES = 10_000
VALUES: tuple[Any, ...] = (
    None,
    True,
    0,
    -1,
    10**400,
    1.5,
    float("nan"),
    float("inf"),
    "",
    "x" * 100_000,
    "\ud800",
    "\x1b[2J\n\u202e",
    "$(reboot)",
    "[::",
    "9" * 30,
    [],
    [None],
    {},
    {"error": 1},
    {"error": "no"},
)


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The paths of all values in a JSON document, itself left out."""
    children = (
        value.items()
        if isinstance(value, dict)
        else enumerate(value)
        if isinstance(value, list)
        else ()
    )
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def changed(document: Any, path: tuple[Any, ...], value: Any) -> Any:
    """The document with one value exchanged; only what leads there is copied."""
    result = copy.copy(document)
    result[path[0]] = changed(document[path[0]], path[1:], value) if path[1:] else value
    return result


@pytest.mark.parametrize("recording", ["healthy", "evicted", "lazy_umount", "osd_frozen"])
def test_no_answer_of_one_node_disturbs_the_others(recording: str) -> None:
    """One value of one node's answer is exchanged, thousands of times: the others keep their
    verdicts.
    """
    document = json.loads((RECORDINGS / f"{recording}.json").read_text())
    facts = load(str(RECORDINGS / f"{recording}.json"))
    index = next(number for number, node in enumerate(facts.nodes) if node.name == NODE)
    answer = document["nodes"][index]["facts"]
    where = list(places(answer))
    chance = random.Random(recording)
    expected = {each.node: each.code for each in examine(facts).nodes if each.node != NODE}
    invalid = 0
    for _ in range(CHANGES // 4):
        value = changed(answer, chance.choice(where), chance.choice(VALUES))
        mine = node_facts(Node(NODE, "10.10.10.11", "web-1"), Answer(value, 1e9, 1e9))
        nodes = (*facts.nodes[:index], mine, *facts.nodes[index + 1 :])
        found = examine(Facts(facts.site, facts.cluster, nodes))
        verdicts = {each.node: each for each in found.nodes}
        mine_found = verdicts.pop(NODE)
        assert {name: each.code for name, each in verdicts.items()} == expected
        if mine.failure:
            assert mine_found.code == "NODE_ANSWER_INVALID"
            invalid += 1
        assert mine_found.summary.isprintable()
        assert (mine_found.remedy or "").isprintable()
    assert invalid > CHANGES / 20


def test_a_check_that_raises_is_unknown_and_the_others_are_run(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("cephctl.doctor.check._CHECKS", dict(load_checks()))

    @check("BROKEN", "It raises", Layer.LOCAL)
    def broken(view: Any) -> Iterator[Problem]:
        yield Problem(view.nothing_of_that_name)

    evicted = load(str(RECORDINGS / "evicted.json"))
    mine = next(each for each in examine(evicted).nodes if each.node == NODE)
    assert mine.code == "CLIENT_BLOCKLISTED"
    [unknown] = [each for each in mine.findings if each.code == "BROKEN"]
    assert unknown.severity is Severity.UNKNOWN
    assert "nothing_of_that_name" in unknown.detail[0]


def test_a_check_declared_nowhere_else_stops_a_remount(monkeypatch: pytest.MonkeyPatch) -> None:
    healthy = load(str(RECORDINGS / "healthy.json"))
    order = Order("remount")
    assert not list(refusals(order, healthy, examine(healthy)))
    monkeypatch.setattr("cephctl.doctor.check._CHECKS", dict(load_checks()))

    @check("NEW_CHECK", "The next mount fails", Layer.LOCAL, prevents_mount=True)
    def new_check(view: Any) -> Iterator[Problem]:
        if view.node.name == NODE:
            yield Problem()

    found = examine(healthy)
    [refused] = refusals(order, healthy, found)
    assert f"{NODE} would not mount again: NEW_CHECK" in refused.message
    assert not list(refusals(Order("remount", force=True), healthy, found))
    assert [each.code for each in found.findings if prevents_mount(each)] == ["NEW_CHECK"]


def test_what_was_saved_is_read_back(tmp_path: Path) -> None:
    for name in ("evicted", "cable_cut", "mon_frozen"):
        facts = load(str(RECORDINGS / f"{name}.json"))
        save(facts, str(tmp_path / "facts.json"))
        assert load(str(tmp_path / "facts.json")) == facts


def document_with(path: tuple[Any, ...], value: Any) -> str:
    return json.dumps(changed(json.loads((RECORDINGS / "evicted.json").read_text()), path, value))


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (document_with(("format",), 1), "not saved by this version of cephctl (format 1, expected"),
        (document_with(("nodes", 1, "facts", "clients", 0, "id"), "7"), "id: not an integer"),
        (
            document_with(("nodes", 1, "facts", "clients", 0, "id"), "7"),
            ": nodes[1].facts.clients[0].id: ",
        ),
        (document_with(("cluster", "osdmap", "osds"), {}), "cluster.osdmap.osds: not a list"),
        (document_with(("site",), None), "site: not an object"),
        ((RECORDINGS / "evicted.json").read_text()[:5000], "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ("[]", "it has no format version"),
    ],
)
def test_a_damaged_file_is_one_line_with_the_place(
    tmp_path: Path, text: str, complaint: str
) -> None:
    file = tmp_path / "facts.json"
    file.write_text(text)
    with pytest.raises(UsageError) as caught:
        load(str(file))
    assert str(file) in caught.value.message
    assert complaint in caught.value.message
    assert "\n" not in caught.value.message
    shown = Cephctl()("node", "doctor", "--from", str(file))
    assert (shown.status, shown.stdout) == (2, "")


HOSTILE = ("$(touch /tmp/x)", "a; reboot", "it's", '"', "a\nb", "`id`", "-rf", "a b", "\\")


@pytest.mark.parametrize("text", HOSTILE)
def test_no_value_becomes_a_command(text: str, tmp_path: Path) -> None:
    """A remedy is run by a shell, and on the node by another: each value arrives as it was."""
    import subprocess

    seen = tmp_path / "seen"
    # ssh joins its arguments and hands them to a shell: so does this.
    ssh = ["sh", "-c", 'shift; sudo() { "$@"; }; eval "$*"', "ssh"]
    remedy = (on_node("sh", "-c", f'printf "%s" "$1" >{seen}', "sh", text),)
    line = shell(remedy, lambda node: [*ssh, node])
    subprocess.run(["sh", "-c", line], check=True, timeout=10)
    assert seen.read_text() == (
        text if text.isprintable() else text.encode("unicode_escape").decode()
    )


def test_a_file_is_written_by_a_remedy_as_it_should_be(tmp_path: Path) -> None:
    import subprocess

    path = tmp_path / "a b/$(id).conf"
    [command] = write_file(str(path), "[Unit]", "After=it's.mount")
    subprocess.run(command.argv, check=True, timeout=10)
    assert path.read_text() == "[Unit]\nAfter=it's.mount\n"
