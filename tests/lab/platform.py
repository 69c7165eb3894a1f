"""The whole lab: the cluster, the web nodes and HAProxy, brought up, looked at and taken down
together.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.lab import image, network, site
from tests.lab.ceph import DAEMONS, Cluster
from tests.lab.machine import Machine
from tests.lab.places import CLUSTER, IMAGES, INSIDE, NAMESPACE, NODES, RUN, STORAGE
from tests.lab.shell import LabError, locked, need, stat_fields, wait_until

RELEASES = ("bookworm", "trixie")
HOST_RELEASE = "bookworm"
PROGRAMS = {
    "ip": "iproute2",
    "debootstrap": "debootstrap",
    "qemu-system-x86_64": "qemu-system-x86",
    "qemu-img": "qemu-utils",
    "busybox": "busybox-static",
    "cpio": "cpio",
    "mkfs.ext4": "e2fsprogs",
    "ssh": "openssh-client",
    "haproxy": "haproxy",
}


def up(release: str) -> None:
    """Bring up what is not up; with another release, start over."""
    if os.geteuid():
        raise LabError(
            "the lab needs root: it makes a network namespace, tap devices and file systems"
        )
    need(PROGRAMS)
    if running_release() not in (None, release):
        down()
    RUN.mkdir(parents=True, exist_ok=True)
    nodes = machines()
    network.up()
    cluster = cluster_of(release)
    if not all(cluster.pid(daemon) for daemon in DAEMONS):
        start_cluster(cluster, release, nodes[0].image.known_hosts)
        for node in nodes:
            node.stop()
    keep_key(cluster)
    print("waking the web nodes")
    each(reset_if_down, nodes)
    site.start_haproxy()
    for node in nodes:
        site.put_in_service(node.name)
    if not site.are_up(15):
        # Somebody left a node unmounted or broken.
        each(reset, [node for node in nodes if site.haproxy_states()[node.name] != "UP"])
    site.wait_for_haproxy()


def start_cluster(cluster: Cluster, release: str, known_hosts: Path) -> None:
    print(f"starting a Ceph cluster ({release})")
    (RUN / "release").unlink(missing_ok=True)
    cluster.up()
    site.make_tenants(cluster, INSIDE)
    site.write_config(cluster, known_hosts)
    (RUN / "release").write_text(release)


def keep_key(cluster: Cluster) -> None:
    """The nodes get their key from this file; somebody may have rotated it."""
    cluster.ceph("auth", "get", "client.web", "-o", cluster.keyring("client.web"))


def machines() -> list[Machine]:
    IMAGES.mkdir(parents=True, exist_ok=True)
    with locked(IMAGES / "lock"):
        built = image.node_image()
        nodes = [Machine(name, built) for name in NODES]
        image.forget(nodes[0].snapshot.parent, "node-*-booted-*")
    return nodes


def reset_if_down(node: Machine) -> None:
    if node.pid is None or not node.answers():
        reset(node)


def reset(node: Machine) -> None:
    """Booted, healthy and mounted, from whatever state the node is in."""
    cluster = current()
    network.heal(node.name)
    node.up()
    forget_client(cluster, node.address)
    site.deploy(node, cluster)
    if site.haproxy_pid():
        site.put_in_service(node.name)


def forget_client(cluster: Cluster, address: str) -> None:
    """End the sessions of a node that woke up without them: their caps would block the others for a
    minute.
    """
    mds = cluster.active_mds()
    for session in cluster.json("tell", mds, "session", "ls"):
        name = session["inst"].split()[1].removeprefix("v1:")
        if name.startswith(f"{address}:"):
            cluster.ceph("tell", mds, "client", "evict", f"id={session['id']}")
            cluster.ceph("osd", "blocklist", "rm", name)


def reset_and_wait(node: Machine) -> None:
    reset(node)
    wait_until(f"{node.name} up in HAProxy", lambda: site.haproxy_states()[node.name] == "UP", 30)


def each(action: Callable[[Machine], None], nodes: Iterable[Machine]) -> None:
    """The same for all nodes at once; the first failure is raised when all have ended."""
    with ThreadPoolExecutor() as pool:
        list(pool.map(action, nodes))


def cluster_of(release: str) -> Cluster:
    return Cluster(CLUSTER, STORAGE, enter=INSIDE, root=root_of(release), objectstore="bluestore")


def root_of(release: str) -> Path | None:
    """Where that release's Ceph is; None is this machine's own."""
    if release == HOST_RELEASE:
        return None
    IMAGES.mkdir(parents=True, exist_ok=True)
    with locked(IMAGES / "lock"):
        return image.ceph_root(release)


def current() -> Cluster:
    """The cluster that is up."""
    release = running_release()
    if release is None:
        raise LabError("the lab is not up; run 'tests/lab/lab up'")
    return cluster_of(release)


def running_release() -> str | None:
    file = RUN / "release"
    return file.read_text() if file.exists() and network.is_up() else None


def down() -> None:
    """Stop everything, nodes first: a client that outlives its cluster would only hang."""
    release = running_release()
    if network.is_up():
        for name in NODES:
            Machine(name, image.NodeImage("", Path(), Path(), Path(), Path())).stop()
        site.stop_haproxy()
    if release:
        cluster_of(release).down()
    network.down()
    shutil.rmtree(RUN, ignore_errors=True)


def status() -> list[tuple[str, str]]:
    """A line per part of the lab: its name and how it is."""
    release = running_release()
    if release is None:
        return [(NAMESPACE, "down")]
    cluster = cluster_of(release)
    rows = [(NAMESPACE, f"up, Ceph of {release}")]
    rows += [(daemon, process_state(cluster.pid(daemon))) for daemon in DAEMONS]
    rows.append(("haproxy", process_state(site.haproxy_pid())))
    seen = site.haproxy_states() if site.haproxy_pid() else {}
    for node in machines():
        rows.append(
            (node.name, f"{process_state(node.pid)}, {seen.get(node.name, 'unknown')} in HAProxy")
        )
    return rows


def process_state(pid: int | None) -> str:
    if pid is None:
        return "stopped"
    letter = stat_fields(pid)[0]
    return f"frozen (pid {pid})" if letter == "T" else f"running (pid {pid})"
