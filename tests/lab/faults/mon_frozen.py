"""The only monitor is frozen."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "CLUSTER_UNREACHABLE",
    lambda scene: scene.freeze("mon.a"),
    wide=True,
    releases=("bookworm", "trixie"),
)
