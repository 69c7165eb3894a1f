"""mount.ceph is not installed."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "HELPER_MISSING",
    lambda scene: scene.unmounted_with("mv /sbin/mount.ceph /root/mount.ceph"),
    heal=lambda scene: scene.on(
        "mv /root/mount.ceph /sbin/mount.ceph; systemctl start var-www-storage.mount nginx "
        "node-agent"
    ),
)
