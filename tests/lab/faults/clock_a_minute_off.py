"""The clock of a node is a minute off: not broken yet."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "NODE_CLOCK_SKEW",
    lambda scene: scene.on("date -s @$(( $(date +%s) - 60 ))"),
    severity="HEALTH_WARN",
    status=0,
)
