"""The node has another host key."""

from __future__ import annotations

from tests.lab import platform
from tests.lab.faults.fault import NODE, Fault, Scene


def inject(scene: Scene) -> None:
    scene.on(
        "rm /etc/ssh/ssh_host_ed25519_key && ssh-keygen -q -t ed25519 -N '' -f "
        "/etc/ssh/ssh_host_ed25519_key && systemctl restart ssh"
    )


FAULT = Fault(
    "NODE_HOST_KEY_CHANGED",
    inject,
    status=5,
    heal=lambda scene: platform.reset(scene.lab.nodes[NODE]),
)
