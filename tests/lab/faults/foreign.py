"""A tmpfs lies on the path."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault

FAULT = Fault("MOUNT_STACKED", lambda scene: scene.on(f"mount -t tmpfs none {PATH}"))
