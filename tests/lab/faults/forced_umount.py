"""umount -f ends all requests, but a holder keeps the mount: everything says EIO."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FORCE = "import ctypes; ctypes.CDLL(None).umount2(b'/var/www/storage', 1)"

FAULT = Fault("FORCED_UMOUNT", lambda scene: scene.on(f'python3 -c "{FORCE}"'))
