"""The caps name another file system, as after a rename."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    scene.caps(
        mon="allow r fsname=former",
        osd="allow rw tag cephfs data=cephfs",
        mds="allow rw fsname=former",
    )


FAULT = Fault("CAPS_FSNAME", inject, wide=True)
