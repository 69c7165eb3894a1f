"""The only monitor is dead."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("CLUSTER_UNREACHABLE", lambda scene: scene.kill("mon.a"), wide=True)
