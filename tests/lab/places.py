"""Where everything of the lab is: addresses, directories, names."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

# Workers of pytest-xdist have a lab each; the first one's is that of `make lab-up`.
LAB = os.environ.get("PYTEST_XDIST_WORKER", "gw0").replace("gw0", "")
NAMESPACE = f"cephctl-lab{LAB}"
BRIDGE = "br0"
# Fixed: the snapshots of the nodes remember it, and would send their answers to a former one.
BRIDGE_MAC = "52:54:00:0a:0a:32"
STORAGE = "10.10.10.50"
# The operator's machine: so that a node can lose the storage and still be logged in to.
OPERATOR = "10.10.10.1"
WEB_NETWORK = "10.10.10.8/29"
NETWORK = "10.10.10.0/24"
NODES = {
    "web-1-node-0": "10.10.10.10",
    "web-1-node-1": "10.10.10.11",
    "web-1-node-2": "10.10.10.12",
}
TENANTS = ("acme", "blog", "shop")
FIRST_UID = 2001

HERE = Path(__file__).resolve().parent
PROJECT = HERE.parents[1]
HOME = Path(os.environ.get("CEPHCTL_LAB_DIR", "/var/lib/cephctl-lab"))
IMAGES = HOME / "images"
RUN = HOME / f"run{LAB}"
CLUSTER = RUN / "ceph"
CONFIG = RUN / "cephctl.toml"
SSH_CONFIG = RUN / "ssh_config"
SSH_KEY = IMAGES / "id_ed25519"
HAPROXY_SOCKET = RUN / "haproxy.sock"

INSIDE = ["ip", "netns", "exec", NAMESPACE]


def recipe(*sources: str | Path) -> str:
    """A short hash of texts and files (a folder counts with all it holds): what was built from the
    same is the same.
    """
    digest = hashlib.sha256()
    for source in sources:
        if isinstance(source, str):
            digest.update(source.encode())
            continue
        for file in sorted(source.rglob("*")) if source.is_dir() else [source]:
            if file.is_file():
                digest.update(
                    f"{file.relative_to(source.parent)} {file.stat().st_mode:o}\n".encode()
                )
                digest.update(file.read_bytes())
    return digest.hexdigest()[:12]
