"""The only OSD has died, and nobody is left to report it."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("OSD_DEAD", lambda scene: scene.kill("osd.0"), wide=True)
