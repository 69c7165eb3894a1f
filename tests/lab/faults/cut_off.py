"""A node loses the way to the storage network."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene
from tests.lab.places import STORAGE


def inject(scene: Scene) -> None:
    scene.on(f"ip route add unreachable {STORAGE}/32")


FAULT = Fault(
    "NODE_CUT_OFF", inject, heal=lambda scene: scene.on(f"ip route del unreachable {STORAGE}/32")
)
