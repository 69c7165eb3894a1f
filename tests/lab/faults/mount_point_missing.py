"""The directory to mount on is gone."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault

FAULT = Fault(
    "MOUNTPOINT_MISSING",
    lambda scene: scene.on(
        f"systemctl stop nginx node-agent var-www-storage.mount && rmdir {PATH}"
    ),
)
