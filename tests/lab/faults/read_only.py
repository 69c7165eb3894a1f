"""The mount is read-only."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, SECRET, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmount()
    scene.on(f"mount -t ceph 10.10.10.50:/ {PATH} -o ro,name=web,secretfile={SECRET}")


FAULT = Fault("MOUNT_READ_ONLY", inject)
