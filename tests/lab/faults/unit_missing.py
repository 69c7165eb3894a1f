"""The unit file is gone, and so is the mount."""

from __future__ import annotations

from tests.lab.faults.fault import UNIT, Fault

FAULT = Fault(
    "UNIT_MISSING", lambda scene: scene.unmounted_with(f"rm {UNIT}; systemctl daemon-reload")
)
