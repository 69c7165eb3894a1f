"""There is no python3."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "NODE_NO_PYTHON",
    lambda scene: scene.on("mv /usr/bin/python3 /usr/bin/python3.away"),
    status=5,
    heal=lambda scene: scene.on("mv /usr/bin/python3.away /usr/bin/python3"),
)
