"""A network fence covers a node."""

from __future__ import annotations

from tests.lab.faults.fault import ADDRESS, Fault

FAULT = Fault(
    "NODE_BLOCKLISTED",
    lambda scene: scene.ceph("osd", "blocklist", "range", "add", f"{ADDRESS}/32"),
)
