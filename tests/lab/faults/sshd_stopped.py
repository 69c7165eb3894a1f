"""sshd does not run."""

from __future__ import annotations

from tests.lab import platform
from tests.lab.faults.fault import NODE, Fault

FAULT = Fault(
    "NODE_UNREACHABLE",
    lambda scene: scene.on("systemctl stop ssh.socket ssh", check=False),
    status=5,
    heal=lambda scene: platform.reset(scene.lab.nodes[NODE]),
)
