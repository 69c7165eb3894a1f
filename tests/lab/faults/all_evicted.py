"""All nodes are evicted at once, as by an eviction without a filter."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene
from tests.lab.places import NODES


def inject(scene: Scene) -> None:
    for node in NODES:
        scene.evict(node)


FAULT = Fault("FLEET_EVICTED", inject, severity="HEALTH_WARN", cluster=True)
