"""A service needs the mount and does not wait for it."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

DROP_IN = "/etc/systemd/system/node-agent.service.d/cephfs.conf"

FAULT = Fault(
    "DEPENDENT_UNORDERED",
    lambda scene: scene.on(f"sed -i /^After/d {DROP_IN} && systemctl daemon-reload"),
    severity="HEALTH_WARN",
    status=0,
    after=lambda scene: scene.on(
        f"sed -i '/^.Unit/a After=var-www-storage.mount' {DROP_IN}; systemctl daemon-reload"
    ),
)
