"""Which cluster, as whom, with what key and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass

from cephctl.config import Config


@dataclass(frozen=True)
class Target:
    """A cluster and a login on it. `timeout` is how many seconds one answer may take.

    `mounted_as` is the web nodes' entity, which the caps of the login must name.
    """

    conf: str
    entity: str
    keyring: str | None
    file_system: str | None
    timeout: float
    cluster: str = "ceph"
    mounted_as: str = "client.web"

    @property
    def seconds(self) -> int:
        """The deadline in librados' whole seconds; 0 would mean for ever."""
        return max(1, int(self.timeout))


def target_of(config: Config, cluster: str) -> Target:
    return Target(
        conf=config["ceph.conf"],
        entity=config["ceph.name"],
        keyring=config["ceph.keyring"] or None,
        file_system=config["ceph.filesystem"] or None,
        timeout=config["ceph.timeout"],
        cluster=cluster,
        mounted_as=config["mount.entity"],
    )
