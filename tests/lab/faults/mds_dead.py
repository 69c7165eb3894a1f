"""Both MDS are dead."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene
from tests.lab.shell import wait_until


def inject(scene: Scene) -> None:
    scene.kill("mds.a", "mds.b")
    wait_until(
        "the monitors to miss it",
        lambda: "laggy_since" in scene.ceph("fs", "dump", "--format", "json"),
        60,
        every=1,
    )


FAULT = Fault("MDS_LAGGY", inject, wide=True, after=lambda scene: scene.restart_both_mds())
