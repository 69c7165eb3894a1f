"""Both MDS have died, and the monitors do not know yet."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "MDS_DEAD",
    lambda scene: scene.kill("mds.a", "mds.b"),
    wide=True,
    after=lambda scene: scene.restart_both_mds(),
)
