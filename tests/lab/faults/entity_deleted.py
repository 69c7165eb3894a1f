"""Somebody deletes the entity."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "ENTITY_MISSING",
    lambda scene: scene.ceph("auth", "del", "client.web"),
    wide=True,
    releases=("bookworm", "trixie"),
)
