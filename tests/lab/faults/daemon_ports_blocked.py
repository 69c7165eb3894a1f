"""A firewall knows only the monitors' ports."""

from __future__ import annotations

from tests.lab.faults.fault import Fault
from tests.lab.faults.firewall import fence, unfence

FAULT = Fault("MDS_UNREACHABLE", lambda scene: fence(scene, "6800-7568"), heal=unfence)
