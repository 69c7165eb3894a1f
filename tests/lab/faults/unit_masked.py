"""Somebody masked the unit."""

from __future__ import annotations

from tests.lab.faults.fault import UNIT, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmounted_with(f"rm {UNIT}; systemctl mask var-www-storage.mount")


FAULT = Fault("UNIT_INVALID", inject)
