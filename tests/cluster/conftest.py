"""A real Ceph cluster per release on loopback, and cephctl set up for it."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.storage import Storage
from tests.command import Cephctl
from tests.lab.ceph import Cluster
from tests.lab.image import ceph_root
from tests.lab.platform import HOST_RELEASE, RELEASES

# So that tests wait less: for an MDS's restart after clients were killed (45 s), for recursive
# statistics (10 s).
SETTINGS = "mds reconnect timeout = 3\nmds scatter nudge interval = 1\n"
ADDRESSES = Path("/run/cephctl-test-addresses")
TENANTS = ("acme", "blog", "shop")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes and hardly depends on the release, `make test` plays on one; `make faults`
    on both.
    """
    for item in items:
        parameters = (
            item.callspec.params
            if isinstance(item, pytest.Function) and hasattr(item, "callspec")
            else {}
        )
        if (
            item.get_closest_marker("one")
            and parameters.get("cluster", HOST_RELEASE) != HOST_RELEASE
        ):
            item.add_marker(pytest.mark.matrix)


@dataclass(frozen=True)
class Site:
    """A cluster, its files as client.admin sees them, and the operator's cephctl."""

    cluster: Cluster
    storage: Storage
    cephctl: Cephctl
    config: Path


@pytest.fixture(scope="session")
def own_address() -> Iterator[str]:
    """A loopback address that no other worker, and no other run of the tests, has a cluster on."""
    ADDRESSES.mkdir(exist_ok=True)
    for number in range(1, 255):
        with (ADDRESSES / str(number)).open("w") as claim, contextlib.suppress(BlockingIOError):
            fcntl.flock(claim, fcntl.LOCK_EX | fcntl.LOCK_NB)
            yield f"127.7.{number}.1"
            return
    pytest.fail("254 clusters are running already")


def built_root(release: str) -> Path:
    """The release's root; of several workers the first builds it."""
    with (ADDRESSES / "build").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        return ceph_root(release)


@pytest.fixture(scope="session", params=RELEASES)
def cluster(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory, own_address: str
) -> Iterator[Cluster]:
    if os.geteuid():
        pytest.fail("the cluster's tests need root: a newer Ceph runs in a chroot")
    root = None if request.param == HOST_RELEASE else built_root(request.param)
    made = Cluster(
        tmp_path_factory.mktemp(request.param), own_address, root=root, settings=SETTINGS
    )
    try:
        made.up()
        yield made
    finally:
        made.down()
        shutil.rmtree(made.home, ignore_errors=True)


@pytest.fixture(scope="session")
def storage(cluster: Cluster) -> Iterator[Storage]:
    with Storage.of(cluster) as mounted:
        yield mounted


@pytest.fixture
def site(cluster: Cluster, storage: Storage, tmp_path: Path) -> Site:
    """Three fresh tenants without quotas, and a configuration that knows one node."""
    storage.make_tenants(TENANTS)
    config = tmp_path / "cephctl.toml"
    config.write_text(
        f'[ceph]\nconf = "{cluster.operator_conf}"\nkeyring = '
        f'"{cluster.keyring("client.cephctl")}"\ntimeout = 5\n'
        '[nodes.here]\naddress = "127.0.0.1"\nshard = "web-1"\n'
    )
    return Site(cluster, storage, Cephctl({"CEPHCTL_CONFIG": str(config)}), config)


@pytest.fixture
def cephctl(site: Site) -> Cephctl:
    return site.cephctl
