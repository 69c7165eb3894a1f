"""The unit does not start at boot."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "UNIT_DISABLED",
    lambda scene: scene.on("systemctl disable var-www-storage.mount"),
    severity="HEALTH_WARN",
    status=0,
)
