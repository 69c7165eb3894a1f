"""The JSON contract: which records each command answers with, and their JSON Schema (draft
2020-12).

Every field of a record is in its JSON, always. After the first release fields are added, and never
renamed or removed.
"""

from __future__ import annotations

import dataclasses
import importlib
import inspect
import types
import typing
from collections.abc import Mapping
from datetime import datetime
from enum import Enum

from cephctl.errors import UsageError
from cephctl.parse import Json
from cephctl.results import Record, Severity
from cephctl.text import near

DRAFT = "https://json-schema.org/draft/2020-12/schema"
# Command → the records of its answers: "module:Class", in brackets for a list of them. A change has
# a second answer with
# --dry-run. Commands that answer with plain text have none.
ANSWERS: Mapping[str, tuple[str, ...]] = {
    "tenant list": ("[tenants.layout:Tenant]",),
    "tenant show": ("tenants.usage:TenantDetail",),
    "tenant usage": ("[tenants.usage:Usage]",),
    "tenant quota get": ("[tenants.quota:Quota]",),
    "tenant quota set": ("[tenants.quota:QuotaChange]",),
    "tenant quota clear": ("[tenants.quota:QuotaChange]",),
    "node list": ("[config:Node]",),
    "node doctor": ("doctor.verdict:Diagnosis", "[doctor.report:CheckRow]"),
    "node health": ("[nodes.health:NodeHealth]",),
    "node probe": ("[nodes.health:NodeProbe]",),
    "node sessions": ("[cluster.sessions:MdsSession]",),
    "node mount": ("[nodes.remount:NodeChange]", "[nodes.remount:NodeStep]"),
    "node umount": ("[nodes.remount:NodeChange]", "[nodes.remount:NodeStep]"),
    "node remount": ("[nodes.remount:NodeChange]", "[nodes.remount:NodeStep]"),
    "node drain": ("[nodes.drain:NodeService]",),
    "node undrain": ("[nodes.drain:NodeService]",),
    "node push": ("[nodes.push:FileChange]",),
    "mds status": ("cluster.mds:MdsStatus",),
    "mds sessions": ("[cluster.sessions:MdsSession]",),
    "mds evict": ("[cluster.evict:Eviction]",),
    "mds fail": ("[cluster.failover:Failover]",),
    "cluster status": ("cluster.status:ClusterStatus",),
    "cluster blocklist list": ("[cluster.blocklist:BlocklistEntry]",),
    "cluster blocklist remove": ("[cluster.blocklist:BlocklistEntry]",),
    "keys list": ("[cluster.entities:KeyRow]",),
    "keys show": ("cluster.entities:KeyDetail",),
    "keys audit": ("doctor.verdict:Diagnosis",),
    "keys push": ("[nodes.push:FileChange]",),
    "keys rotate": ("rotation.report:Report", "[rotation.propose:PlannedStep]"),
    "keys caps show": ("[cluster.entities:Cap]",),
    "keys caps diff": ("[cluster.web_caps:CapChange]",),
    "keys caps apply": ("[cluster.web_caps:CapChange]",),
    "run list": ("[rotation.runs:RunRow]",),
    "run show": ("rotation.runs:RunDetail",),
    "run resume": ("rotation.report:Report", "[rotation.propose:PlannedStep]"),
    "run rollback": ("rotation.report:Report", "[rotation.propose:PlannedStep]"),
    "run abort": ("[rotation.runs:RunRow]",),
    "config show": ("[config:SettingValue]",),
    "config check": ("[results:Finding]",),
}
SCALARS: Mapping[Json, dict[str, Json]] = {
    str: {"type": "string"},
    bool: {"type": "boolean"},
    int: {"type": "integer"},
    float: {"type": "number"},
    datetime: {"type": "string", "format": "date-time"},
    Severity: {"enum": ["HEALTH_OK", "HEALTH_WARN", "UNKNOWN", "HEALTH_ERR"]},
    type(None): {"type": "null"},
}


def record_of(answer: str) -> type[Record]:
    """The class of an entry of ANSWERS."""
    module, _, name = answer.strip("[]").partition(":")
    found: type[Record] = getattr(importlib.import_module(f"cephctl.{module}"), name)
    return found


def schema(command: str | None = None) -> dict[str, Json]:
    """The schema of one command's answer; without a command, of all of them by command, under
    "commands".
    """
    definitions: dict[str, Json] = {}
    if command is None:
        commands = {each: answers_schema(each, definitions) for each in ANSWERS}
        return {"$schema": DRAFT, "commands": commands, "$defs": definitions}
    if command not in ANSWERS:
        alike = near(command, ANSWERS)
        raise UsageError(
            f"no schema of '{command}'",
            f"did you mean {', '.join(alike)}?" if alike else "'cephctl schema' prints all of them",
        )
    return {"$schema": DRAFT, **answers_schema(command, definitions), "$defs": definitions}


def answers_schema(command: str, definitions: dict[str, Json]) -> dict[str, Json]:
    found = [answer_schema(each, definitions) for each in ANSWERS[command]]
    return found[0] if len(found) == 1 else {"anyOf": found}


def answer_schema(answer: str, definitions: dict[str, Json]) -> dict[str, Json]:
    one = type_schema(record_of(answer), definitions)
    return {"type": "array", "items": one} if answer.startswith("[") else one


def type_schema(kind: Json, definitions: dict[str, Json]) -> dict[str, Json]:
    """The schema of a field's type. TypeError for a type that is not in the contract."""
    if kind in SCALARS:
        return dict(SCALARS[kind])
    if dataclasses.is_dataclass(kind) and isinstance(kind, type):
        return record_schema(kind, definitions)
    origin: object = typing.get_origin(kind)
    arguments = typing.get_args(kind)
    if origin is types.UnionType or origin is typing.Union:
        return {"anyOf": [type_schema(each, definitions) for each in arguments]}
    if origin is tuple and arguments[-1:] == (Ellipsis,):
        return {"type": "array", "items": type_schema(arguments[0], definitions)}
    if isinstance(kind, type) and issubclass(kind, Enum):
        return {"enum": [each.value for each in kind]}
    raise TypeError(f"{kind} is not in the JSON contract")


def record_schema(kind: type[Json], definitions: dict[str, Json]) -> dict[str, Json]:
    name = kind.__name__
    if name not in definitions:
        definitions[name] = {}
        hints = typing.get_type_hints(kind)
        names = field_names(kind)
        definitions[name] = {
            "type": "object",
            "description": " ".join((inspect.getdoc(kind) or "").split()),
            "properties": {each: type_schema(hints[each], definitions) for each in names},
            "required": names,
            "additionalProperties": False,
        }
    return {"$ref": f"#/$defs/{name}"}


def field_names(kind: type[Json]) -> list[str]:
    return [field.name for field in dataclasses.fields(kind)]


def table_type(kind: type[Record]) -> type[Record]:
    """Whose rows a table or csv shows: the record's own, or those of its first section."""
    return kind if kind.columns else kind.sections[0][1]


def check_columns(command: str, columns: tuple[str, ...]) -> None:
    """UsageError, with the columns that there are, for one that no answer of a command has."""
    kinds = [table_type(record_of(each)) for each in ANSWERS.get(command, ())]
    known = dict.fromkeys(name for kind in kinds for name in field_names(kind))
    if unknown := [each for each in columns if each not in known]:
        there = ", ".join(known)
        raise UsageError(
            f"no column '{unknown[0]}' in the answer of '{command}'",
            f"columns are: {there}" if there else "it answers with text",
        )
