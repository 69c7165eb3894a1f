from __future__ import annotations

import pickle
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal

import pytest

from cephctl.parse import MAX_TEXT, Malformed, Unreadable, parse, to_json


class State(Enum):
    OPEN = "open"
    STALE = "stale"


@dataclass(frozen=True)
class Client:
    id: int
    state: State
    age: float
    sessions: Mapping[str, str]
    kind: Literal["v1", "v2"] = "v1"
    active: str | None = field(default=None, metadata={"json": "ActiveState"})


@dataclass(frozen=True)
class Node:
    clients: tuple[Client, ...] | Unreadable
    place: tuple[str, int] | None = None


CLIENT = {"id": 7, "state": "open", "age": 3, "sessions": {"0": "open"}}


def node(**change: Any) -> Any:
    return {"clients": [CLIENT | change], "place": ["10.0.0.1", 6789]}


def test_a_value_comes_back_as_it_went() -> None:
    value = parse(Node, node(ActiveState="active"))
    assert isinstance(value.clients, tuple)
    assert value.clients[0].active == "active"
    assert value.clients[0].age == 3.0
    assert parse(Node, to_json(value)) == value
    assert pickle.loads(pickle.dumps(value)) == value, "it goes to a worker"


def test_unreadable_is_a_value() -> None:
    value = parse(Node, {"clients": {"error": "Permission denied"}})
    assert value.clients == Unreadable("Permission denied")
    assert to_json(value)["clients"] == {"error": "Permission denied"}


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"id": "7"}, "clients[0].id: not an integer"),
        ({"id": True}, "clients[0].id: not an integer"),
        ({"id": 10**400}, "clients[0].id: too large"),
        ({"age": float("nan")}, "clients[0].age: not a finite number"),
        ({"age": 10**400}, "clients[0].age: too large"),
        ({"state": "gone"}, "clients[0].state: not one of open, stale"),
        ({"kind": "v3"}, "clients[0].kind: not one of v1, v2"),
        ({"sessions": {"0": 1}}, "clients[0].sessions.0: not a string"),
        ({"ActiveState": []}, "clients[0].ActiveState: not a string"),
        ({"ActiveState": "x" * (MAX_TEXT + 1)}, "clients[0].ActiveState: longer than 65536"),
    ],
)
def test_what_is_wrong_is_named_by_its_path(change: dict[str, Any], complaint: str) -> None:
    with pytest.raises(Malformed) as caught:
        parse(Node, node(**change))
    assert str(caught.value).startswith(complaint)


def test_a_missing_field_is_named() -> None:
    with pytest.raises(Malformed, match=r"^clients\[0\]\.state: missing$"):
        parse(Node, {"clients": [{"id": 1}]})


def test_text_is_made_printable() -> None:
    value = parse(Node, node(ActiveState="\x1b[31m\ud800\n\u202e"))
    assert isinstance(value.clients, tuple)
    assert value.clients[0].active == r"\x1b[31m\ud800\n\u202e"
