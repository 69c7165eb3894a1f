"""The unit mounts a directory that is not in the file system."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "UNIT_PATH_DIFFERS",
    lambda scene: scene.unmounted_with(scene.edit_unit("s,10.10.10.50:/,10.10.10.50:/nowhere,")),
)
