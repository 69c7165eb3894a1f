"""The secret file is gone."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault

FAULT = Fault("SECRET_MISSING", lambda scene: scene.unmounted_with(f"rm {SECRET}"))
