"""The secret file holds half a key."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault

FAULT = Fault("SECRET_GARBLED", lambda scene: scene.unmounted_with(f"truncate -s 20 {SECRET}"))
