"""The osd caps name a pool that is not the file system's."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "CAPS_NO_OSD",
    lambda scene: scene.caps(mon="allow r", mds="allow rw", osd="allow rw pool=elsewhere"),
    wide=True,
)
