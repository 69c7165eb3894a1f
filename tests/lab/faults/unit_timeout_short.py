"""The unit gives up before the kernel does."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "UNIT_TIMEOUT_SHORT",
    lambda scene: scene.on(scene.edit_unit("s/^TimeoutSec=.*/TimeoutSec=30/")),
    severity="HEALTH_WARN",
    status=0,
)
