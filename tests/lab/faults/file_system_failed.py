"""The file system was failed for maintenance and not joined again."""

from __future__ import annotations

from tests.lab.faults.fault import Fault

FAULT = Fault("MDS_ALL_DOWN", lambda scene: scene.ceph("fs", "fail", "cephfs"), wide=True)
