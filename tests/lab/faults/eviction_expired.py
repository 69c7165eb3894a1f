"""The blocklist entry of an evicted node is gone; its mount stays dead."""

from __future__ import annotations

from tests.lab.faults.fault import NODE, PATH, Fault, Scene


def inject(scene: Scene) -> None:
    scene.evict(NODE)
    # The client must have seen it, as it has after an hour.
    scene.on(f"ls {PATH}", check=False)
    scene.ceph("osd", "blocklist", "clear")


FAULT = Fault("CLIENT_REJECTED", inject)
