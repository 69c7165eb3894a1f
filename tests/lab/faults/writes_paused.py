"""The pause flags are set."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("OSD_WRITES_STOPPED", lambda scene: scene.ceph("osd", "set", "pause"), wide=True)
