"""The operator's key is not accepted."""

from __future__ import annotations

from tests.lab import platform
from tests.lab.faults.fault import NODE, Fault

FAULT = Fault(
    "NODE_LOGIN_REFUSED",
    lambda scene: scene.on("mv /home/ubuntu/.ssh/authorized_keys /root/"),
    status=5,
    heal=lambda scene: platform.reset(scene.lab.nodes[NODE]),
)
