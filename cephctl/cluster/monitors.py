"""Where the monitors are: the monmap, read once for all who need it."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from dataclasses import dataclass

from cephctl.address import addrvec
from cephctl.ceph.commands import Cluster
from cephctl.parse import Json


@dataclass(frozen=True)
class MonAddress:
    """One address of a monitor; `kind` is its protocol: v1 or v2."""

    kind: str
    host: str
    port: int


@dataclass(frozen=True)
class Monitor:
    """A monitor of the monmap."""

    name: str
    addresses: tuple[MonAddress, ...]
    in_quorum: bool


@dataclass(frozen=True)
class Monmap:
    """The cluster's fsid and monitors. `allowed_ciphers` is empty on releases that do not tell
    (before 19.2.6 and 20.2.4).
    """

    fsid: str
    monitors: tuple[Monitor, ...]
    allowed_ciphers: tuple[str, ...] = ()

    @property
    def addresses(self) -> Iterator[MonAddress]:
        for monitor in self.monitors:
            yield from monitor.addresses

    @property
    def key_types(self) -> frozenset[str]:
        """The types of key that may be used: older releases know one."""
        return frozenset(self.allowed_ciphers or ("aes",))


def monmap_of(dump: Json) -> Monmap:
    """From `mon dump`."""
    monitors = tuple(
        Monitor(
            mon["name"],
            tuple(
                MonAddress(kind, each.host, each.port)
                for kind, each in addrvec(mon["public_addrs"])
            ),
            mon["rank"] in dump["quorum"],
        )
        for mon in dump["mons"]
    )
    ciphers = tuple(
        str(each.get("name", each) if isinstance(each, dict) else each)
        for each in dump.get("auth_allowed_ciphers") or ()
    )
    return Monmap(dump["fsid"], monitors, ciphers)


def read_monmap(cluster: Cluster) -> Generator[Monmap]:
    """One answer: the monmap."""
    yield monmap_of(cluster.command("mon dump"))
