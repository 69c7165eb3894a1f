"""Measure what visitors and tenants notice of a rotation, on the lab: python -m
tests.bench_rotation.
"""

from __future__ import annotations

from tests.command import Cephctl
from tests.lab import platform
from tests.lab.conftest import Lab
from tests.lab.faults.fault import Scene
from tests.lab.places import CONFIG, INSIDE, NODES
from tests.lab.test_rotation import Operator
from tests.lab.witness import appended, visitors, writers


def main() -> None:
    platform.up(platform.running_release() or platform.HOST_RELEASE)
    nodes = {node.name: node for node in platform.machines()}
    scene = Scene(
        Lab(
            platform.current(), nodes, Cephctl({"CEPHCTL_CONFIG": str(CONFIG)}, enter=tuple(INSIDE))
        )
    )
    scene.set_clocks()
    with writers(scene), visitors() as site:
        done = Operator(scene).rotate().result()
        visited = site.end()
        lines = {node: appended(scene, node) for node in NODES}
    scene.keep_key()
    print(
        f"keys rotate client.web, overlap, {len(NODES)} emulated nodes: exit "
        f"{done.status}, {done.json['seconds']:.0f} s"
    )
    print(
        f"  {visited['requests']} requests through HAProxy, {len(visited['failures'])} "
        f"failed, the slowest {visited['slowest']:.2f} s"
    )
    for row in done.json["nodes"]:
        taken, written = lines[row["node"]]
        lost = len(set(taken) - set(written))
        print(
            f"  {row['node']}: at most {row['gap_ms']} ms without a mount, {len(taken)} "
            f"appends, {lost} lost"
        )


if __name__ == "__main__":
    main()
