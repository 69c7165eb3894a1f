"""The data pool reached its quota."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault, Scene
from tests.lab.shell import wait_until


def inject(scene: Scene) -> None:
    scene.on(f"echo {'x' * 100} >{PATH}/acme/home/some && sync -f {PATH}/acme/home/some")
    scene.ceph("osd", "pool", "set-quota", "cephfs_data", "max_bytes", "1")
    wait_until("the flag", lambda: "full" in scene.ceph("osd", "pool", "ls", "detail"), 60, every=1)


FAULT = Fault(
    "DATA_POOL_FULL", inject, wide=True, after=lambda scene: scene.on(f"rm {PATH}/acme/home/some")
)
