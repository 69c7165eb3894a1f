"""A second unit for the path has a name of its own."""

from __future__ import annotations

from tests.lab.faults.fault import UNIT, Fault, Scene


def inject(scene: Scene) -> None:
    scene.on(f"cp {UNIT} /etc/systemd/system/storage.mount; systemctl daemon-reload")


def heal(scene: Scene) -> None:
    scene.on("rm /etc/systemd/system/storage.mount; systemctl daemon-reload")


FAULT = Fault("UNIT_MISNAMED", inject, severity="HEALTH_WARN", status=0, heal=heal)
