"""CephX caps: those that cephctl needs, those that a web node needs, and how to read them."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from cephctl.address import covers

MDS_CAPS = "allow *"
"""The MDS gives its session list to no client with less (16.2), and quotas need its `p`."""
KEYS_CAPS: Mapping[str, str] = {
    "mon": ", ".join(
        f'allow command "auth {verb}"' for verb in ("ls", "get", "import", "rm", "caps")
    ),
    "osd": "allow rwx namespace=cephctl",
}
"""What changing keys and caps needs in addition. Ceph cannot limit `auth import` to one entity:
with it an entity can give itself any caps.
"""


def mon_caps(mounted_as: str) -> dict[str, str]:
    """What each command to the monitors needs; "" stands for all that only read. `mounted_as` is
    the web nodes' entity.

    `mds fail` needs its whole service: naming the command is not enough (measured, 16.2).
    """
    return {
        "": "allow r",
        "auth get": f'allow command "auth get" with entity={mounted_as}',
        "osd blocklist": 'allow command "osd blocklist"',
        "mds fail": "allow service mds rw",
    }


def operator_caps(mounted_as: str) -> dict[str, str]:
    """The least that all commands but those on keys need."""
    return {"mon": ", ".join(mon_caps(mounted_as).values()), "mds": MDS_CAPS}


def web_caps(file_system: str, root: str) -> dict[str, str]:
    """The caps of an entity that mounts one directory of one file system: no more, and no service
    less.
    """
    path = "" if root == "/" else f" path={root}"
    return {
        "mon": "allow r",
        "osd": f"allow rw tag cephfs data={file_system}",
        "mds": f"allow rw{path}",
    }


def caps_command(verb: str, entity: str, caps: Mapping[str, str]) -> str:
    """The `ceph auth` command with these caps. It always names every service: `auth caps` deletes
    what it does not name.

    >>> caps_command("caps", "client.a", {"mon": "allow r"})
    "ceph auth caps client.a mon 'allow r'"
    """
    words = [word for service, cap in caps.items() for word in (service, cap)]
    return shlex.join(["ceph", "auth", verb, entity, *words])


@dataclass(frozen=True)
class Clause:
    """One `allow` of a service's caps: its rights as letters ("*" for all), and what it is
    restricted to.
    """

    rights: str
    restrictions: Mapping[str, str]

    def allows(self, letters: str) -> bool:
        return self.rights == "*" or set(letters) <= set(self.rights)


def clauses(text: str) -> Iterator[Clause]:
    """The clauses of one service's caps.

    >>> [(c.rights, dict(c.restrictions)) for c in clauses("allow r, allow rw tag cephfs data=fs")]
    [('r', {}), ('rw', {'tag': 'cephfs', 'data': 'fs'})]
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


def excludes(text: str, addresses: Iterable[str]) -> str | None:
    """The networks that caps are restricted to, when none of a host's addresses is in one of
    them.
    """
    networks = [clause.restrictions.get("network") for clause in clauses(text)]
    limits = [network for network in networks if network]
    if not limits or len(limits) < len(networks):
        return None
    inside = any(covers(network, each) for network in limits for each in addresses)
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
