"""The mds caps allow no change."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "CAPS_NO_MDS",
    lambda scene: scene.caps(mon="allow r", osd="allow rw tag cephfs data=cephfs", mds="allow r"),
    wide=True,
)
