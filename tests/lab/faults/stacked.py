"""A second mount on top of the first."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, SECRET, Fault

FAULT = Fault(
    "MOUNT_STACKED",
    lambda scene: scene.on(f"mount -t ceph 10.10.10.50:/ {PATH} -o name=web,secretfile={SECRET}"),
)
