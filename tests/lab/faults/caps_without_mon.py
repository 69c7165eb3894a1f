"""`auth caps` with one service deletes the others: no mon caps."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "CAPS_NO_MON",
    lambda scene: scene.caps(osd="allow rw tag cephfs data=cephfs", mds="allow rw"),
    wide=True,
)
