"""The whole address of a node is on the blocklist."""

from __future__ import annotations

from tests.lab.faults.fault import ADDRESS, Fault

FAULT = Fault(
    "NODE_BLOCKLISTED", lambda scene: scene.ceph("osd", "blocklist", "add", f"{ADDRESS}:0/0")
)
