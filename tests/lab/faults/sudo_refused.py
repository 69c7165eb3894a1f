"""sudo wants a password."""

from __future__ import annotations

from tests.lab import platform
from tests.lab.faults.fault import NODE, Fault

FAULT = Fault(
    "NODE_SUDO_REFUSED",
    lambda scene: scene.on("sed -i s/NOPASSWD:// /etc/sudoers.d/ubuntu"),
    status=5,
    heal=lambda scene: platform.reset(scene.lab.nodes[NODE]),
)
