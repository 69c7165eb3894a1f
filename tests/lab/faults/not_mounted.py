"""Somebody stopped the unit."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("NOT_MOUNTED", lambda scene: scene.unmount())
