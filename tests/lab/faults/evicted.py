"""The MDS evicts a node, and it goes on the blocklist."""

from __future__ import annotations

from tests.lab.faults.fault import NODE, Fault

FAULT = Fault(
    "CLIENT_BLOCKLISTED", lambda scene: scene.evict(NODE), releases=("bookworm", "trixie")
)
