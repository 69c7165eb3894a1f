"""The lab, brought up once; taken down again by whoever brought it up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from tests.command import Cephctl
from tests.lab import platform
from tests.lab.ceph import Cluster
from tests.lab.machine import Machine
from tests.lab.places import CONFIG, INSIDE


@dataclass(frozen=True)
class Lab:
    """The platform, and cephctl as its operator runs it."""

    cluster: Cluster
    nodes: dict[str, Machine]
    cephctl: Cephctl


@pytest.fixture(scope="session")
def platform_up() -> Iterator[Lab]:
    was_up = platform.running_release() is not None
    platform.up(platform.running_release() or platform.HOST_RELEASE)
    nodes = {node.name: node for node in platform.machines()}
    yield Lab(platform.current(), nodes, Cephctl({"CEPHCTL_CONFIG": str(CONFIG)}, enter=tuple(INSIDE)))
    if not was_up:
        platform.down()


@pytest.fixture
def lab(platform_up: Lab) -> Lab:
    """The lab with no tenant limited."""
    cleared = platform_up.cephctl("tenant", "quota", "clear", "--all", "--yes")
    assert cleared.status == 0, cleared.stderr
    return platform_up
