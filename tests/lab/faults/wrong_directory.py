"""A subdirectory is mounted in place of the root."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, SECRET, Fault, Scene


def inject(scene: Scene) -> None:
    scene.unmount()
    scene.on(f"mount -t ceph 10.10.10.50:/acme {PATH} -o name=web,secretfile={SECRET}")


FAULT = Fault("MOUNT_WRONG", inject)
