"""A misspelt mount option."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "OPTION_UNKNOWN", lambda scene: scene.unmounted_with(scene.edit_unit("s/noatime/noatimes/"))
)
