"""The clock of a node is two days ahead."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("NODE_CLOCK_SKEW", lambda scene: scene.on("date -s @$(( $(date +%s) + 172800 ))"))
