"""The secret file holds a key, but not this one."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmounted_with(f"ceph-authtool --gen-print-key >{SECRET}")


FAULT = Fault("KEY_MISMATCH", inject)
