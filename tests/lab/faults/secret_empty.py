"""The secret file is empty: the keyring was not there when it was cut out of it."""

from __future__ import annotations

from tests.lab.faults.fault import SECRET, Fault

FAULT = Fault("SECRET_EMPTY", lambda scene: scene.unmounted_with(f": >{SECRET}"))
