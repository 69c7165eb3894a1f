"""The platform that the configuration describes: the same on every web node."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from cephctl.config import Config


@dataclass(frozen=True)
class Site:
    """What the configuration promises of every node, and how to reach one."""

    path: str
    root: str
    entity: str
    options: str
    sentinel: str
    file_system: str | None
    ssh_config: str | None

    @property
    def user(self) -> str:
        """The entity as mount.ceph wants it: without "client."."""
        return self.entity.removeprefix("client.")

    @property
    def secret(self) -> str:
        return f"/etc/ceph/ceph.{self.entity}.secret"

    @property
    def sentinel_path(self) -> str:
        """The sentinel's path in the file system."""
        return f"{self.root.rstrip('/')}/{self.sentinel}"

    @property
    def keyring(self) -> str:
        return f"/etc/ceph/ceph.{self.entity}.keyring"

    @property
    def conf(self) -> str:
        return "/etc/ceph/ceph.conf"

    def ssh(self, node: str) -> list[str]:
        """The ssh command that leads to a node."""
        # -n: it may stand before a command that asks something.
        return ["ssh", "-n", *(["-F", self.ssh_config] if self.ssh_config else []), node]


def site_of(config: Config) -> Site:
    return Site(
        path=config["mount.path"],
        root=config["mount.root"],
        entity=config["mount.entity"],
        options=config["mount.options"],
        sentinel=config["mount.sentinel"],
        file_system=config["ceph.filesystem"] or None,
        ssh_config=config["ssh.config"] or None,
    )


def request(site: Site, probe: float | None) -> dict[str, Any]:
    """What the node program needs to know of the site."""
    names = {
        "path": site.path,
        "entity": site.entity,
        "conf": site.conf,
        "secret": site.secret,
        "keyring": site.keyring,
    }
    return names | {"sentinel": site.sentinel, "probe": probe, "addresses": []}
