"""The file system refuses new sessions."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault(
    "SESSIONS_REFUSED",
    lambda scene: scene.ceph("fs", "set", "cephfs", "refuse_client_session", "true"),
    wide=True,
    releases=("trixie",),
)
