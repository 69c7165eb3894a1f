"""The short question: is the mount there, and does it answer?"""

from __future__ import annotations

import time

from cephctl.node import mounts, probes
from cephctl.node.mounts import Json


def health(request: Json) -> Json:
    begun = time.monotonic()
    here = mounts.mounts_on(request["path"])
    if not here or here[-1]["type"] != "ceph":
        return {"mounted": False, "probes": {}}
    return {
        "mounted": True,
        "probes": probes.results(probes.start(request, here[-1]["id"]), begun + request["probe"]),
    }
