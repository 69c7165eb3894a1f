"""A key stands in fstab."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault

LINE = f"10.10.10.50:/ /mnt ceph noauto,name=web,secret=$(cat {SECRET}) 0 0"

FAULT = Fault(
    "SECRET_IN_OPTIONS",
    lambda scene: scene.on(f'echo "{LINE}" >>/etc/fstab'),
    severity="HEALTH_WARN",
    status=0,
)
