"""fstab mounts the path as well."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, SECRET, Fault

LINE = f"10.10.10.50:/ {PATH} ceph noauto,name=web,secretfile={SECRET} 0 0"

FAULT = Fault(
    "FSTAB_DUPLICATE",
    lambda scene: scene.on(f'echo "{LINE}" >>/etc/fstab'),
    severity="HEALTH_WARN",
    status=0,
)
