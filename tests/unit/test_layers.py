"""Imports point down only: cli, render, logic, access, node, model."""

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


def test_no_file_is_long() -> None:
    lengths = {file.name: len(file.read_text().splitlines()) for file in FILES}
    assert max(lengths.values()) <= 400, lengths
