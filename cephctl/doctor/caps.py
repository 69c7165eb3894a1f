"""CephX caps, read as far as a mount needs them."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Clause:
    """One `allow` of a service's caps: its rights as letters ("*" for all), and what it is restricted to."""

    rights: str
    restrictions: Mapping[str, str]

    def allows(self, letters: str) -> bool:
        return self.rights == "*" or set(letters) <= set(self.rights)


def clauses(text: str) -> Iterator[Clause]:
    """The clauses of one service's caps.

    >>> [(c.rights, dict(c.restrictions)) for c in clauses("allow r, allow rw tag cephfs data=fs network 10.0.0.0/8")]
    [('r', {}), ('rw', {'tag': 'cephfs', 'data': 'fs', 'network': '10.0.0.0/8'})]
    """
    for part in re.split(r"[,;]", text):
        words = re.findall(r"[^\s=]+=\"[^\"]*\"|[^\s=]+=\S+|\S+", part.strip())
        if not words or words[0] != "allow":
            continue
        rights = words[1] if len(words) > 1 and re.fullmatch(r"\*|all|[rwxps]+", words[1]) else ""
        rest = words[2:] if rights else words[1:]
        yield Clause("*" if rights == "all" else rights, dict(restrictions(rest)))


def restrictions(words: list[str]) -> Iterator[tuple[str, str]]:
    for number, word in enumerate(words):
        name, equals, value = word.partition("=")
        if equals:
            yield name, value.strip('"')
        elif word in ("tag", "network", "pool", "profile", "command") and number + 1 < len(words):
            yield word, words[number + 1]


def excludes(text: str, addresses: list[str]) -> str | None:
    """The networks that caps are restricted to, when none of a host's addresses is in one of them."""
    networks = [clause.restrictions.get("network") for clause in clauses(text)]
    limits = [network for network in networks if network]
    if not limits or len(limits) < len(networks):
        return None
    inside = any(
        ipaddress.ip_address(a) in ipaddress.ip_network(n, strict=False)
        for n in limits
        for a in addresses
        if ":" not in a
    )
    return None if inside else ", ".join(limits)


def reaches_pool(text: str, pool: str, file_system: str) -> bool:
    """Whether osd caps let a client read and write a data pool of a file system."""
    return any(
        clause.allows("rw") and fits(clause.restrictions, pool, file_system)
        for clause in clauses(text)
    )


def fits(restricted: Mapping[str, str], pool: str, file_system: str) -> bool:
    if "pool" in restricted:
        return restricted["pool"] == pool
    if restricted.get("tag") == "cephfs":
        names = {restricted.get("data"), restricted.get("*"), restricted.get("metadata")}
        return bool(names & {file_system, "*"})
    return "tag" not in restricted and "namespace" not in restricted


def sees_file_system(text: str, file_system: str) -> bool:
    """Whether caps leave a file system visible: `fsname=` of another one hides it."""
    found = list(clauses(text))
    return not found or any(
        clause.restrictions.get("fsname", file_system) in (file_system, "*", "all")
        for clause in found
    )
