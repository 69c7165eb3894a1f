"""A service that needs the mount was not started again."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "DEPENDENT_DOWN",
    lambda scene: scene.on("systemctl stop node-agent"),
    severity="HEALTH_WARN",
    status=0,
)
