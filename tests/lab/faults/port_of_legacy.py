"""The unit asks for msgr2 on the legacy port."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmounted_with(
        scene.edit_unit(
            "s/10.10.10.50:/10.10.10.50:6789:/", "s/noatime/noatime,ms_mode=crc,mount_timeout=4/"
        )
    )


FAULT = Fault("MON_PORT_MISMATCH", inject)
