"""The blocklist: who is on it, whose node that is, and taking an entry off."""

from __future__ import annotations

import re
from collections.abc import Generator, Sequence
from dataclasses import dataclass
from datetime import datetime

from cephctl.address import host_of, network_of
from cephctl.ceph.commands import Cluster
from cephctl.config import Node
from cephctl.errors import NotFound, UsageError
from cephctl.results import Column, Kind, Record


@dataclass(frozen=True)
class BlocklistEntry(Record):
    """An entry: a client instance ip:port/nonce, a whole address (nonce 0), or a range. `until` is
    when it ends automatically.
    """

    address: str
    range: bool
    node: str | None
    until: datetime

    columns = (
        Column("address", "ADDRESS"),
        Column("node", "NODE"),
        Column("range", "RANGE"),
        Column("until", "UNTIL", Kind.TIME),
    )


def read_blocklist(inventory: Sequence[Node], cluster: Cluster) -> Generator[BlocklistEntry]:
    """From `osd dump`: what `osd blocklist ls` prints as JSON is none (measured, 16.2 to 20.2)."""
    dump = cluster.command("osd dump")
    nodes = {node.address: node.name for node in inventory}
    for key, ranged in (("blocklist", False), ("range_blocklist", True)):
        for address, until in sorted((dump.get(key) or {}).items()):
            yield BlocklistEntry(address, ranged, nodes.get(host_of(address)), parse_time(until))


def parse_time(text: str) -> datetime:
    return datetime.fromisoformat(
        re.sub(r"([+-]\d\d)(\d\d)$", r"\1:\2", text.replace("Z", "+0000"))
    )


def find_entry(
    address: str, inventory: Sequence[Node], cluster: Cluster
) -> Generator[BlocklistEntry]:
    if "/" not in address and not re.search(r"[.:]", address):
        raise UsageError(
            f"'{address}' is not a blocklist entry",
            "write it as 'cephctl cluster blocklist list' shows it",
        )
    found = [each for each in read_blocklist(inventory, cluster) if each.address == address]
    if not found:
        raise NotFound(f"{address} is not on the blocklist", "see 'cephctl cluster blocklist list'")
    yield found[0]


def remove(entry: BlocklistEntry, cluster: Cluster) -> Generator[BlocklistEntry]:
    arguments = {"range": "range"} if entry.range else {}
    address = network_of(entry.address) if entry.range else entry.address
    cluster.command("osd blocklist", blocklistop="rm", addr=address, **arguments)
    yield entry
