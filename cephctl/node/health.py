"""The short question: is the mount there, and does it answer?"""

from __future__ import annotations

import time
from typing import Any

from cephctl.node import mounts, probes


def health(request: dict[str, Any]) -> dict[str, Any]:
    begun = time.monotonic()
    here = mounts.mounts_on(request["path"])
    if not here or here[-1]["type"] != "ceph":
        return {"mounted": False, "probes": {}}
    return {
        "mounted": True,
        "probes": probes.results(probes.start(request, here[-1]["id"]), begun + request["probe"]),
    }
