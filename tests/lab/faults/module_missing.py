"""A kernel upgrade took the modules of the running kernel away."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

MODULES = "/lib/modules/$(uname -r)/kernel/fs/ceph"

FAULT = Fault(
    "MODULE_MISSING",
    lambda scene: scene.unmounted_with(f"rmmod ceph && mv {MODULES} /root/modules"),
    heal=lambda scene: scene.on(
        f"mv /root/modules {MODULES}; systemctl start var-www-storage.mount nginx node-agent"
    ),
)
