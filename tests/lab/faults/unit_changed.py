"""The unit file was edited, and systemd not told."""

from __future__ import annotations

from tests.lab.faults.fault import UNIT, Fault

FAULT = Fault(
    "UNIT_CHANGED",
    lambda scene: scene.on(f"sleep 1; touch {UNIT}"),
    severity="HEALTH_WARN",
    status=0,
)
