"""The OSD is frozen."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "OSD_SILENT", lambda scene: scene.freeze("osd.0"), wide=True, releases=("bookworm", "trixie")
)
