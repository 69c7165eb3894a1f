"""Which daemons send a banner: every msgr server sends one at once; a frozen one only accepts the
connection.
"""

from __future__ import annotations

from collections.abc import Iterable

from cephctl.address import Address
from cephctl.node.network import reach

PROBLEMS = {
    "silent": "accepts connections but sends no banner (frozen or overloaded)",
    "timeout": "does not answer (host or network down)",
    "refused": "connection refused",
    "no route": "no route to host",
    "closed": "closes connections",
    "not Ceph": "is not a Ceph daemon",
}


def problems(addresses: Iterable[Address], seconds: float) -> dict[Address, str]:
    """Address → what is wrong, for each that did not send its banner in time. All are asked at
    once.
    """
    wanted = list(dict.fromkeys(addresses))
    words = reach([(each.host, each.port) for each in wanted], seconds)
    found = {each: words[f"{each.host}:{each.port}"] for each in wanted}
    return {each: PROBLEMS.get(word, word) for each, word in found.items() if word != "ok"}
