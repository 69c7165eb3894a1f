"""A tmpfs is mounted instead."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault

STOP = "systemctl stop nginx node-agent var-www-storage.mount"

FAULT = Fault("MOUNT_FOREIGN", lambda scene: scene.on(f"{STOP} && mount -t tmpfs none {PATH}"))
