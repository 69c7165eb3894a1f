"""ceph.conf and keyring, checked before librados sees them."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass

from cephctl.caps import caps_command, operator_caps
from cephctl.ceph.target import Target
from cephctl.cephconf import MalformedFile, lookup, parse_sections, plain_text
from cephctl.cephx import parse_keyring
from cephctl.errors import UsageError

# [IPv6], bare IPv6, or IPv4 and names; then a port.
_ADDRESS = re.compile(
    r"(?:\[([0-9a-fA-F:.]+)\]|((?:[0-9a-fA-F]*:){2,}[0-9a-fA-F.]*)|([^:/\[\]]+))(?::(\d+))?"
)
MON_PORTS = (3300, 6789)


@dataclass(frozen=True)
class Login:
    """What it takes to log in: a target whose files are there, readable, and hold what they
    must.
    """

    target: Target
    keyring: str
    monitors: tuple[tuple[str, int], ...]


def check(target: Target) -> Login:
    """Refuse what librados would answer with a riddle, an abort (BOM) or a hang (NUL byte)."""
    text = read(
        target.conf, "ceph.conf", "give its path with --conf, CEPH_CONF or 'conf' in cephctl.toml"
    )
    try:
        sections = parse_sections(text)
    except MalformedFile as error:
        raise UsageError(f"{target.conf} is not a valid ceph.conf: {error}") from None
    monitors = tuple(mon_addresses(lookup(sections, target.entity, "mon host") or ""))
    if not monitors:
        raise UsageError(
            f"{target.conf} names no monitor", "it needs 'mon host = ADDRESS' in [global]"
        )
    keyring = find_keyring(target, lookup(sections, target.entity, "keyring"))
    check_keyring(keyring, target)
    return Login(target, keyring, monitors)


def read(path: str, what: str, hint: str) -> str:
    """A text file that librados can digest."""
    try:
        with open(path, "rb") as file:
            return plain_text(file.read())
    except FileNotFoundError:
        raise UsageError(f"no {what} at {path}", hint) from None
    except OSError as error:
        raise UsageError(
            f"{what} {path} cannot be read: {error.strerror}",
            "run as root, or as a user who may read it",
        ) from None
    except MalformedFile as error:
        raise UsageError(f"{what} {path} is damaged: {error}") from None


def mon_addresses(text: str) -> Iterator[tuple[str, int]]:
    """Addresses in `mon host`, in any of its forms.

    >>> list(mon_addresses("[v2:10.0.0.1:3300/0,v1:10.0.0.1:6789/0], [fd00::1]:6789"))
    [('10.0.0.1', 3300), ('10.0.0.1', 6789), ('fd00::1', 6789)]
    >>> list(mon_addresses("[v2:[fd00::1]:3300/0,v1:[fd00::1]:6789/0] mon2:3300"))
    [('fd00::1', 3300), ('fd00::1', 6789), ('mon2', 3300)]
    >>> list(mon_addresses("mon1 [fd00::2] fd00::3"))[1::2]
    [('mon1', 6789), ('fd00::2', 6789), ('fd00::3', 6789)]
    """
    for word in re.split(r"[\s,;]+", text):
        if match := _ADDRESS.match(re.sub(r"^\[?v[12]:", "", word)):
            host, port = (match[1] or match[2] or match[3]), match[4]
            for each in (int(port),) if port else MON_PORTS:
                yield host, each


def find_keyring(target: Target, configured: str | None) -> str:
    """The first keyring file of Ceph's own search list that exists."""
    if target.keyring:
        return target.keyring
    names = configured.split(",") if configured else keyring_names()
    paths = [expand(name.strip(), target) for name in names]
    for path in paths:
        if os.path.exists(path):
            return path
    raise UsageError(
        f"no keyring for {target.entity}: looked for {', '.join(paths)}",
        create_hint(target),
    )


def keyring_names() -> list[str]:
    names = ("$cluster.$name.keyring", "$cluster.keyring", "keyring", "keyring.bin")
    return [f"/etc/ceph/{name}" for name in names]


def expand(name: str, target: Target) -> str:
    kind, _, identity = target.entity.partition(".")
    values = {"cluster": target.cluster, "name": target.entity, "type": kind, "id": identity}
    return re.sub(r"\$\{?(cluster|name|type|id)\}?", lambda match: values[match[1]], name)


def check_keyring(path: str, target: Target) -> None:
    hint, entity = create_hint(target), target.entity
    text = read(path, f"keyring of {entity}", hint)
    try:
        credentials = parse_keyring(text.encode())
    except MalformedFile as error:
        raise UsageError(f"keyring {path} is damaged: {error}", hint) from None
    if entity not in credentials:
        there = ", ".join(sorted(credentials)) or "no entity"
        raise UsageError(f"keyring {path} has no key for {entity}, only for {there}", hint)


def is_operators(entity: str) -> bool:
    """Whether an entity is cephctl's own, so that replacing its caps may be suggested."""
    return entity.partition(".")[2].startswith("cephctl")


def create_hint(target: Target) -> str:
    """How to get a keyring. Never into a file that may contain other keys: `ceph -o` truncates it
    first.
    """
    if not is_operators(target.entity):
        return (
            f"give {target.entity}'s keyring with --keyring, or log in as client.cephctl; "
            "'cephctl config init' prints how to create it"
        )
    return f"where client.admin is available: {create_command(target.entity, target.mounted_as)}"


def create_command(entity: str, mounted_as: str) -> str:
    """The command that creates the operator's entity, or prints it when it exists."""
    command = caps_command("get-or-create", entity, operator_caps(mounted_as))
    return f"(umask 077; {command} -o ./{entity}.keyring)"


def first_steps(entity: str, mounted_as: str) -> str:
    """What to paste into a shell to create the operator's entity."""
    return (
        "# once, where client.admin is available; then move the file to "
        f"/etc/ceph/ceph.{entity}.keyring on this machine, owned by the operator\n"
        f"{create_command(entity, mounted_as)}\n"
    )


def caps_hint(target: Target) -> str:
    """How to grant what is missing. `auth caps` deletes what it does not name, so only our own
    entity's is spelled out.
    """
    if is_operators(target.entity):
        command = caps_command("caps", target.entity, operator_caps(target.mounted_as))
        return f"where client.admin is available: {command}"
    return (
        "log in as client.cephctl ('cephctl config init' prints how to create it); or see "
        f"'ceph auth get {target.entity}' and repeat all of its caps with 'ceph auth caps'"
    )
