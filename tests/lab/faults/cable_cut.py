"""The cable of a node is out."""

from __future__ import annotations

from tests.lab import network
from tests.lab.faults.fault import NODE, Fault

FAULT = Fault(
    "NODE_UNREACHABLE",
    lambda scene: network.cut(NODE),
    status=5,
    heal=lambda scene: network.heal(NODE),
)
