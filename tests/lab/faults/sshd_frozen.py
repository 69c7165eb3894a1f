"""sshd accepts connections and says nothing."""

from __future__ import annotations

from tests.lab import platform
from tests.lab.faults.fault import NODE, Fault

FAULT = Fault(
    "NODE_SILENT",
    lambda scene: scene.on("systemctl kill -s STOP --kill-who=main ssh"),
    status=5,
    heal=lambda scene: platform.reset(scene.lab.nodes[NODE]),
)
