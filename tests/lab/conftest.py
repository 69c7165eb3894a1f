"""The lab, brought up once per release; left as it was found."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

import pytest

from tests.command import Cephctl
from tests.lab import platform
from tests.lab.ceph import Cluster
from tests.lab.machine import Machine
from tests.lab.places import CONFIG, INSIDE


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Of what runs on the newer release, `make test` plays what is marked as worth it on both;
    `make faults` all.
    """
    for item in items:
        parameters = (
            item.callspec.params
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        if parameters.get(
            "platform_up", platform.HOST_RELEASE
        ) != platform.HOST_RELEASE and not item.get_closest_marker("both"):
            item.add_marker(pytest.mark.matrix)


FAILED = pytest.StashKey[bool]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Remember a failure: only then does a test's end have to mend the lab."""
    report = yield
    item.stash[FAILED] = report.failed or item.stash.get(FAILED, False)
    return report


@dataclass(frozen=True)
class Lab:
    """The platform, and cephctl as its operator runs it."""

    cluster: Cluster
    nodes: dict[str, Machine]
    cephctl: Cephctl


@pytest.fixture(scope="session")
def found_up() -> Iterator[None]:
    """Whoever had the lab up has it up again afterwards; else it is down."""
    release = platform.running_release()
    yield
    if release:
        platform.up(release)
    else:
        platform.down()


@pytest.fixture(scope="session", params=platform.RELEASES)
def platform_up(request: pytest.FixtureRequest, found_up: None) -> Lab:
    platform.up(request.param)
    nodes = {node.name: node for node in platform.machines()}
    return Lab(
        platform.current(), nodes, Cephctl({"CEPHCTL_CONFIG": str(CONFIG)}, enter=tuple(INSIDE))
    )


@pytest.fixture(scope="module")
def healthy(platform_up: Lab) -> Lab:
    """The lab as `node doctor` likes it; what an earlier test left is mended."""
    from tests.lab.faults.fault import Scene

    scene = Scene(platform_up)
    scene.set_clocks()
    if not scene.is_healthy():
        scene.restore()
        scene.wait_until_healthy()
    return platform_up


@pytest.fixture
def lab(platform_up: Lab) -> Lab:
    """The lab with no tenant limited."""
    cleared = platform_up.cephctl("tenant", "quota", "clear", "--all", "--yes")
    assert cleared.status == 0, cleared.stderr
    return platform_up
