"""The standby is dead."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene
from tests.lab.shell import wait_until


def inject(scene: Scene) -> None:
    active = scene.lab.cluster.active_mds()
    scene.kill("mds.b" if active == "mds.a" else "mds.a")
    wait_until(
        "the monitors to miss it",
        lambda: '"up:standby"' not in scene.ceph("fs", "dump", "--format", "json"),
        60,
        every=1,
    )


FAULT = Fault("MDS_NO_STANDBY", inject, severity="HEALTH_WARN", status=0, cluster=True)
