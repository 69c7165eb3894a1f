"""A firewall closes the ports of the monitors."""

from __future__ import annotations

from tests.lab.faults.fault import Fault
from tests.lab.faults.firewall import fence, unfence

FAULT = Fault("MON_UNREACHABLE", lambda scene: fence(scene, "{ 3300, 6789 }"), heal=unfence)
