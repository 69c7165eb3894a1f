"""The secret file is gone, and the mount does not know yet."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault

FAULT = Fault(
    "SECRET_MISSING", lambda scene: scene.on(f"rm {SECRET}"), severity="HEALTH_WARN", status=0
)
