"""The unit names a file system that is not there."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "FS_UNKNOWN",
    lambda scene: scene.unmounted_with(scene.edit_unit("s/noatime/noatime,fs=former/")),
)
