"""ceph.conf on the node has another fsid."""

from __future__ import annotations

from tests.lab.faults.fault import CONF, Fault

DAMAGE = f"sed -i 's/^fsid.*/fsid = 00000000-0000-4000-8000-000000000000/' {CONF}"

FAULT = Fault("CONF_STALE", lambda scene: scene.on(DAMAGE), severity="HEALTH_WARN", status=0)
