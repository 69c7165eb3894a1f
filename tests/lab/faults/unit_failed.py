"""The last attempt failed, its cause is mended, and nobody tried again."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmounted_with(f"mv {SECRET} {SECRET}.away")
    scene.on(f"mv {SECRET}.away {SECRET}")


FAULT = Fault("NOT_MOUNTED", inject)
