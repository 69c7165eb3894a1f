"""Both MDS are frozen: nobody can take over."""

from __future__ import annotations

from tests.lab.faults.fault import Fault, Scene


def inject(scene: Scene) -> None:
    # The standby first, or it takes over.
    active = scene.lab.cluster.active_mds()
    scene.freeze(*sorted(("mds.a", "mds.b"), key=lambda name: name == active))


FAULT = Fault("MDS_SILENT", inject, wide=True, after=lambda scene: scene.restart_both_mds())
