"""Fleets, and what cephctl says of them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.command import Result
from tests.ssh.fleet import Fleet

# Nothing is mounted here, and there is no cluster: so speak nodes that were asked and have
# answered.
HEALTH_OF_ANSWERED = "not mounted"
CODE_OF_ANSWERED = "CLUSTER_UNREACHABLE"


@dataclass(frozen=True)
class Told:
    """What `node doctor` and `node health` told of each node of a fleet."""

    doctor: Result = field(repr=False)
    health: Result = field(repr=False)

    def code(self, node: str) -> str:
        return str(self.diagnosis(node)["code"])

    def diagnosis(self, node: str) -> Any:
        return next(each for each in self.doctor.json["nodes"] if each["node"] == node)

    def error(self, node: str) -> str:
        return next(str(each["last_error"]) for each in self.health.json if each["node"] == node)

    def has_answered(self, node: str) -> bool:
        return self.code(node) == CODE_OF_ANSWERED and self.error(node) == HEALTH_OF_ANSWERED


def asked(fleet: Fleet) -> Told:
    """Both at the same time: what takes long in them is waiting."""
    with ThreadPoolExecutor() as pool:
        return Told(
            *pool.map(lambda verb: fleet.cephctl("node", verb, "-f", "json"), ("doctor", "health"))
        )


@contextmanager
def fleet_in(folder: Path, timeout: float = 20) -> Iterator[Fleet]:
    if os.geteuid():
        pytest.fail(
            "the tests over SSH need root: an sshd lets in nobody but its own user otherwise"
        )
    made = Fleet(folder, timeout)
    try:
        yield made
    finally:
        made.stop()


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[Fleet]:
    """A fleet of no nodes yet."""
    with fleet_in(tmp_path / "fleet") as made:
        yield made
