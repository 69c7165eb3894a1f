"""Addresses as Ceph writes them: of daemons, of client instances, of blocklist entries."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass

from cephctl.parse import Json

PATTERN = re.compile(
    r"(?:(?P<kind>v1|v2|any):)?(?:\[(?P<v6>[^\]]+)\]|(?P<v4>[^:\[\]/]+)):(?P<port>\d+)(?:/(?P<nonce>\d+))?"
)


@dataclass(frozen=True, order=True)
class Address:
    """Host and port; with a nonce it is a client instance, whose port is 0.

    >>> str(Address.parse("v1:[fd00::1]:0/123")), Address.parse("10.0.0.1:6789").host
    ('[fd00::1]:0/123', '10.0.0.1')
    """

    host: str
    port: int
    nonce: int | None = None

    @classmethod
    def parse(cls, text: str) -> Address:
        """Raises ValueError for what is not an address."""
        match = PATTERN.fullmatch(text.strip())
        if not match:
            raise ValueError(f"not an address: {text}")
        nonce = match["nonce"]
        return cls(
            match["v6"] or match["v4"], int(match["port"]), None if nonce is None else int(nonce)
        )

    def __str__(self) -> str:
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" + ("" if self.nonce is None else f"/{self.nonce}")


def addrvec(addresses: Mapping[str, Json]) -> list[tuple[str, Address]]:
    """Protocol (v1, v2) and address of each entry of an entity_addrvec_t, without the nonce."""
    return [(each["type"], Address(*pair(each["addr"]))) for each in addresses["addrvec"]]


def pair(text: str) -> tuple[str, int]:
    found = Address.parse(text)
    return found.host, found.port


def instance_of(inst: str) -> str:
    """The instance in an entity_inst_t ("client.4123 v1:10.0.0.1:0/123"), as the blocklist spells
    it.

    >>> instance_of("client.4123 v1:10.0.0.1:0/123")
    '10.0.0.1:0/123'
    """
    return str(Address.parse(inst.rsplit(maxsplit=1)[-1]))


def host_of(entry: str) -> str:
    """The host of an instance or of a blocklist entry; of a range, its first address.

    >>> host_of("10.0.0.1:0/123"), host_of("[fd00::1]:0/1"), host_of("cidr:10.0.0.0:0/24")
    ('10.0.0.1', 'fd00::1', '10.0.0.0')
    """
    return Address.parse(entry.removeprefix("cidr:")).host


def network_of(entry: str) -> str:
    """The network of a range entry, as the command that removes it wants it.

    >>> network_of("cidr:10.0.0.0:0/24")
    '10.0.0.0/24'
    """
    found = Address.parse(entry.removeprefix("cidr:"))
    return f"{found.host}/{found.nonce}"


def covers(network: str, host: str) -> bool:
    """Whether a host is in a network; False for what is not an address.

    >>> covers("10.0.0.0/24", "10.0.0.9"), covers("10.0.0.0/24", "web-1")
    (True, False)
    """
    try:
        return ipaddress.ip_address(host) in ipaddress.ip_network(network, strict=False)
    except ValueError:
        return False
