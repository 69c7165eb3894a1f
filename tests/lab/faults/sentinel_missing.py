"""The file that the OSD probe reads is gone."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault

FAULT = Fault(
    "SENTINEL_MISSING",
    lambda scene: scene.on(f"rm {PATH}/.cephctl-sentinel"),
    severity="HEALTH_WARN",
    status=0,
    wide=True,
)
