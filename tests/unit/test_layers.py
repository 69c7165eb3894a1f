"""Imports point down only: cli, render, logic, access, node, model; and within the logic layer only
as listed.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

PACKAGE = Path(__file__).resolve().parents[2] / "cephctl"
# Layer → what its modules may import of ours, besides their own layer.
ALLOWED = {
    "model": set(),
    "node": set(),
    "access": {"model", "node"},
    "logic": {"model", "access", "node"},
    "render": {"model"},
    "cli": {"model", "access", "logic", "render"},
}
LAYERS = {
    "cephctl.cli": "cli",
    "cephctl.__main__": "cli",
    "cephctl.render": "render",
    "cephctl.tenants": "logic",
    "cephctl.cluster": "logic",
    "cephctl.doctor": "logic",
    "cephctl.nodes": "logic",
    "cephctl.rotation": "logic",
    "cephctl.deps": "logic",
    "cephctl.ceph": "access",
    "cephctl.haproxy": "access",
    "cephctl.ssh": "access",
    "cephctl.node": "node",
    "cephctl": "model",
}
# Which packages of the logic layer may import which others.
WITHIN_LOGIC = {
    "tenants": set(),
    "cluster": {"deps"},
    "doctor": {"cluster", "deps"},
    "nodes": {"cluster", "deps", "doctor", "tenants"},
    "rotation": {"cluster", "deps", "doctor", "nodes"},
    "deps": set(),
}
# What opens connections. The logic layer reaches it through Deps, and names only types of it.
CONNECTS = {"socket", "paramiko", "rados", "cephfs", "subprocess"}
FILES = sorted(PACKAGE.rglob("*.py"))


def layer(module: str) -> str:
    """The layer of the longest known prefix."""
    parts = module.split(".")
    return next(
        LAYERS[name]
        for size in range(len(parts), 0, -1)
        if (name := ".".join(parts[:size])) in LAYERS
    )


def imports(file: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_imports_point_down(file: Path) -> None:
    own = layer(".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts))
    ours = {
        name for name in imports(file) if name.partition(".")[0] == "cephctl" and name != "cephctl"
    }
    upward = {name for name in ours if layer(name) != own and layer(name) not in ALLOWED[own]}
    assert not upward


LOGIC = [
    file
    for file in FILES
    if layer(".".join(file.relative_to(PACKAGE.parent).with_suffix("").parts)) == "logic"
]


@pytest.mark.parametrize("file", LOGIC, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_packages_of_the_logic_layer_import_only_what_is_listed(file: Path) -> None:
    own = file.relative_to(PACKAGE).with_suffix("").parts[0]
    names = [name.split(".")[1] for name in imports(file) if name.startswith("cephctl.")]
    others = {name for name in names if name in WITHIN_LOGIC and name != own}
    assert others <= WITHIN_LOGIC[own]


@pytest.mark.parametrize("file", LOGIC, ids=lambda file: str(file.relative_to(PACKAGE)))
def test_the_logic_layer_opens_no_connection(file: Path) -> None:
    found = {name.split(".")[0] for name in imports(file)} & CONNECTS
    if file.name == "plan.py":
        # The operator's own host name is data.
        found -= {"socket"}
    assert not found


def test_no_file_is_long() -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in FILES}
    assert max(lengths.values()) <= 350, lengths
