"""The unit names a monitor that is none."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmounted_with(
        scene.edit_unit("s/10.10.10.50:/10.10.10.99:/", "s/noatime/noatime,mount_timeout=4/")
    )


FAULT = Fault("MON_ADDRESS_STALE", inject)
