"""Which cluster, as whom, with what key and how long to wait."""

from __future__ import annotations

from dataclasses import dataclass


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
