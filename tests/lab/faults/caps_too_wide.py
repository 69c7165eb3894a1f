"""The web nodes may set quotas: right p."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    scene.caps(mon="allow r", osd="allow rw tag cephfs data=cephfs", mds="allow rwp")


def narrow(scene: Scene) -> None:
    scene.caps(mon="allow r", osd="allow rw tag cephfs data=cephfs", mds="allow rw")


FAULT = Fault("CAPS_EXCESSIVE", inject, severity="HEALTH_WARN", status=0, cluster=True, heal=narrow)
