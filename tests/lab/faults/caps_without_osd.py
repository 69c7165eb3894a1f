"""No osd caps."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("CAPS_NO_OSD", lambda scene: scene.caps(mon="allow r", mds="allow rw"), wide=True)
