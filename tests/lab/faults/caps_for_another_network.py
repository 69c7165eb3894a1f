"""The caps are for a network that the nodes are not in."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    scene.caps(
        mon="allow r network 192.168.0.0/16", osd="allow rw tag cephfs data=cephfs", mds="allow rw"
    )


FAULT = Fault("CAPS_NETWORK", inject, wide=True)
