"""The secret file is a copy of the keyring."""

from __future__ import annotations

from tests.lab.faults.fault import KEYRING, SECRET, Fault

FAULT = Fault("SECRET_IS_KEYRING", lambda scene: scene.unmounted_with(f"cp {KEYRING} {SECRET}"))
