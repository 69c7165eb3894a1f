"""A firewall lets msgr2 through to the monitors, and not the legacy protocol."""

from __future__ import annotations

from tests.lab.faults.fault import Fault
from tests.lab.faults.firewall import fence, unfence

FAULT = Fault("MON_PORT_BLOCKED", lambda scene: fence(scene, "6789"), heal=unfence)
