"""Measure what the README claims: python -m tests.bench. Prints ratios of one run; tests
nothing.
"""

from __future__ import annotations

import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from tests.cluster.storage import Storage
from tests.command import PROJECT
from tests.lab.ceph import Cluster, free_ports

ROUNDS = 15
TENANTS = 3000


def main() -> None:
    v2, v1 = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="cephctl-bench-") as folder:
        cluster = Cluster(Path(folder, "ceph"), ports=(v2, v1))
        try:
            cluster.up()
            program = install(Path(folder, "installed"))
            ours = [
                str(program),
                "-c",
                str(cluster.operator_conf),
                "-k",
                str(cluster.keyring("client.cephctl")),
            ]
            status(cluster, ours)
            reports(cluster, ours)
        finally:
            cluster.down()


def install(folder: Path) -> Path:
    """cephctl as `make install` puts it on a machine: the system's Python, compiled."""
    subprocess.run(["make", "-s", "install", f"prefix={folder}"], cwd=PROJECT, check=True)
    return folder / "bin/cephctl"


def status(cluster: Cluster, ours: Sequence[str]) -> None:
    admin = [
        "-c",
        str(cluster.operator_conf),
        "-n",
        "client.admin",
        "-k",
        str(cluster.keyring("client.admin")),
    ]
    times = alternate(
        [[*ours, "mds", "status"], [str(shutil.which("ceph")), *admin, "fs", "status"]]
    )
    show("cephctl mds status", times[0])
    show("ceph fs status", times[1])
    print(
        f"{'ratio of medians':34}{statistics.median(times[0]) / statistics.median(times[1]):8.2f}"
    )


def reports(cluster: Cluster, ours: Sequence[str]) -> None:
    with Storage.of(cluster) as storage:
        storage.make_directories([f"/t{number:05}" for number in range(TENANTS)])
    commands = [
        [*ours, "-q", "tenant", "usage"],
        [*ours, "-q", "tenant", "usage", "--sort", "used", "--top", "20"],
        [*ours, "tenant", "list"],
    ]
    for command, times in zip(commands, alternate(commands, rounds=5), strict=True):
        show(f"{' '.join(command[6:])} ({TENANTS} tenants)"[-60:], times)


def alternate(commands: Sequence[Sequence[str]], rounds: int = ROUNDS) -> list[list[float]]:
    """Seconds of each command, taken in turn so that the machine's moods hit all of them."""
    times: list[list[float]] = [[] for _ in commands]
    for _ in range(rounds):
        for command, taken in zip(commands, times, strict=True):
            start = time.perf_counter()
            subprocess.run(
                command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=True
            )
            taken.append(time.perf_counter() - start)
    return times


def show(name: str, times: Sequence[float]) -> None:
    print(
        (
            f"{name:60} median {statistics.median(times):.3f} s, best {min(times):.3f} s, of "
            f"{len(times)}"
        ),
        flush=True,
    )


if __name__ == "__main__":
    main()
