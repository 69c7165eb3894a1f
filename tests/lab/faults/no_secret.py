"""The unit passes no key, and there is no keyring to fall back to."""

from __future__ import annotations

from tests.lab.faults.fault import KEYRING, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmounted_with(f"rm {KEYRING} && " + scene.edit_unit("s/secretfile=[^,]*,//"))


FAULT = Fault("SECRET_NOT_PASSED", inject)
