"""A lazy umount, a holder that lives on, and a new mount: two clients, one of them a zombie."""

from __future__ import annotations

from tests.lab.faults.fault import PATH, Fault, Scene


def inject(scene: Scene) -> None:
    scene.on(f"systemd-run --unit holder -p WorkingDirectory={PATH}/acme sleep 600")
    scene.on(
        f"systemctl stop nginx node-agent; umount -l {PATH}; systemctl start "
        "var-www-storage.mount nginx node-agent"
    )


FAULT = Fault(
    "ZOMBIE_CLIENT",
    inject,
    severity="HEALTH_WARN",
    status=0,
    after=lambda scene: scene.on("systemctl stop holder"),
)
