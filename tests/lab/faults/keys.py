"""Keys for faults."""

from __future__ import annotations

from tests.lab.faults.fault import Scene


def new_key(scene: Scene) -> None:
    """Another key for client.web with the same caps, as `auth import` changes it."""
    keyring = scene.lab.cluster.run("ceph-authtool", "--gen-print-key").strip()
    caps = scene.ceph("auth", "get", "client.web")
    lines = [
        f"\tkey = {keyring}" if line.strip().startswith("key") else line
        for line in caps.splitlines()
    ]
    scene.ceph("auth", "import", "-i", "-", stdin="\n".join(lines) + "\n")
