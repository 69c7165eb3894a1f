"""Everybody can read the secret file."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault

FAULT = Fault(
    "SECRET_READABLE",
    lambda scene: scene.on(f"chmod 644 {SECRET}"),
    severity="HEALTH_WARN",
    status=0,
)
