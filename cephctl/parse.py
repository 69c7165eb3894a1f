"""From JSON of others to frozen dataclasses, and back: the one border where types
are checked.

A field's name in JSON is its own, or `metadata={"json": NAME}`. Keys that no field names are passed
over; a field without a default must be there. `Unreadable` is {"error": REASON} in JSON.
"""

from __future__ import annotations

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Mapping
from enum import Enum
from functools import cache
from typing import Any, TypeAlias, TypeVar

from cephctl.text import printable

T = TypeVar("T")
Json: TypeAlias = Any
"""What json.loads gives, not checked yet."""
Kind: TypeAlias = Any
"""A type, as an annotation has it."""

MAX_TEXT = 1 << 16
MAX_ITEMS = 100_000
MAX_INTEGER = 1 << 64
SCALARS: Mapping[Kind, str] = {
    str: "not a string",
    bool: "not true or false",
    int: "not an integer",
    float: "not a number",
    type(None): "not null",
}


class Malformed(ValueError):
    """A value that is not what it should be; the text is its path and what is wrong with it."""

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}" if path else problem)


@dataclasses.dataclass(frozen=True)
class Unreadable:
    """Facts that could not be read, and why."""

    reason: str = dataclasses.field(metadata={"json": "error"})


def parse(kind: type[T], value: object, path: str = "") -> T:
    """`value`, as json.loads gives it, as a `kind`. Raises Malformed.

    >>> parse(Unreadable, {"error": "no such file"})
    Unreadable(reason='no such file')
    >>> parse(Unreadable, {"error": 3}, "nodes[1]")
    Traceback (most recent call last):
    cephctl.parse.Malformed: nodes[1].error: not a string
    """
    return typing.cast("T", parsed(kind, value, path))


def parsed(kind: Kind, value: object, path: str) -> Json:
    if kind in SCALARS:
        return scalar(kind, value, path)
    origin: object = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    family = origin or kind
    if isinstance(family, type):
        for known, reader in READERS:
            if issubclass(family, known):
                return reader(arguments or kind, value, path)
    if origin is typing.Literal:
        return choice(arguments, value, path)
    return record(kind, value, path)


def scalar(kind: Kind, value: object, path: str) -> Json:
    wanted = (int, float) if kind is float else kind
    if not isinstance(value, wanted) or (isinstance(value, bool) and kind is not bool):
        raise Malformed(path, SCALARS[kind])
    if isinstance(value, str):
        if len(value) > MAX_TEXT:
            raise Malformed(path, f"longer than {MAX_TEXT} characters")
        return printable(value)
    if isinstance(value, float) and not math.isfinite(value):
        raise Malformed(path, "not a finite number")
    if isinstance(value, (int, float)) and abs(value) >= MAX_INTEGER:
        raise Malformed(path, "too large")
    return float(value) if kind is float and isinstance(value, int) else value


def record(kind: Kind, value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise Malformed(path, "not an object")
    found = {}
    for name, key, hint, required in fields(kind):
        at = f"{path}.{key}" if path else key
        if key in value:
            found[name] = parsed(hint, value[key], at)
        elif required:
            raise Malformed(at, "missing")
    return kind(**found)


@cache
def fields(kind: Kind) -> tuple[tuple[str, str, Kind, bool], ...]:
    """Of each field: its name, its key in JSON, its type, and whether it must be there."""
    hints = typing.get_type_hints(kind)
    return tuple(
        (
            field.name,
            field.metadata.get("json", field.name),
            hints[field.name],
            field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING,
        )
        for field in dataclasses.fields(kind)
    )


def one_of(kinds: tuple[Kind, ...], value: object, path: str) -> Json:
    """The first type of a union that fits; when none does, what the likeliest says of it."""
    if value is None and type(None) in kinds:
        return None
    kinds = tuple(kind for kind in kinds if kind is not type(None))
    if Unreadable in kinds and isinstance(value, dict) and "error" in value:
        return record(Unreadable, value, path)
    kinds = tuple(kind for kind in kinds if kind is not Unreadable)
    problem: Malformed | None = None
    for kind in kinds:
        try:
            return parsed(kind, value, path)
        except Malformed as error:
            problem = problem or error
    raise problem or Malformed(path, SCALARS[type(None)])


def items(kinds: tuple[Kind, ...], value: object, path: str) -> tuple[Kind, ...]:
    if not isinstance(value, list):
        raise Malformed(path, "not a list")
    if len(value) > MAX_ITEMS:
        raise Malformed(path, f"more than {MAX_ITEMS} entries")
    if kinds[-1:] == (Ellipsis,):
        kinds = kinds[:1] * len(value)
    if len(kinds) != len(value):
        raise Malformed(path, f"not a list of {len(kinds)}")
    return tuple(
        parsed(kind, each, f"{path}[{index}]")
        for index, (kind, each) in enumerate(zip(kinds, value, strict=True))
    )


def mapping(kinds: tuple[Kind, ...], value: object, path: str) -> Json:
    if not isinstance(value, dict):
        raise Malformed(path, "not an object")
    if len(value) > MAX_ITEMS:
        raise Malformed(path, f"more than {MAX_ITEMS} entries")
    return {
        scalar(str, key, path): parsed(kinds[1], each, f"{path}.{printable(key)[:80]}")
        for key, each in value.items()
    }


def choice(values: tuple[Kind, ...], value: object, path: str) -> Json:
    if not any(value == each and type(value) is type(each) for each in values):
        raise Malformed(path, f"not one of {', '.join(map(str, values))}")
    return value


def member(kind: Kind, value: object, path: str) -> Json:
    return kind(choice(tuple(each.value for each in kind), value, path))


READERS: tuple[tuple[type, Callable[[Kind, object, str], Json]], ...] = (
    (types.UnionType, one_of),
    (tuple, items),
    (Mapping, mapping),
    (Enum, member),
)


def to_json(value: object) -> Json:
    """The reverse: what json.dumps takes, and `parse` makes the same value of."""
    if isinstance(value, Enum):
        return value.value
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {key: to_json(getattr(value, name)) for name, key, _, _ in fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): to_json(each) for key, each in value.items()}
    if isinstance(value, (tuple, list)):
        return [to_json(each) for each in value]
    return value
