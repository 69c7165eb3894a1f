"""A pending key waits on the shared entity."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    scene.ceph("auth", "get-or-create-pending", "client.web")


FAULT = Fault("KEY_PENDING", inject, wide=True, releases=("trixie",))
