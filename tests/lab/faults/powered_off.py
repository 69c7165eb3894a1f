"""A node is off."""

from __future__ import annotations

from tests.lab import platform
from tests.lab.faults.fault import NODE, Fault, Scene


def inject(scene: Scene) -> None:
    scene.lab.nodes[NODE].stop()


FAULT = Fault(
    "NODE_UNREACHABLE", inject, status=5, heal=lambda scene: platform.reset(scene.lab.nodes[NODE])
)
