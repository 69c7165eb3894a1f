"""Host keys as OpenSSH knows them: known_hosts with hashed names, patterns, ports and @revoked."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True)
class Line:
    """One line: the names it is for, and a key's type and bytes. Lines of certificate authorities
    are not taken.
    """

    names: bytes
    kind: str
    key: bytes
    revoked: bool


@cache
def lines_of(file: str) -> tuple[Line, ...]:
    """What a file holds; an invalid line is ignored."""
    try:
        with open(file, "rb") as stream:
            return tuple(filter(None, map(parse, stream.read().splitlines())))
    except OSError:
        return ()


def parse(raw: bytes) -> Line | None:
    """One line, or None.

    >>> parse(b"host,[10.0.0.1]:2222 ssh-ed25519 AAAA comment").kind
    'ssh-ed25519'
    """
    words = raw.split()
    if not words or words[0].startswith(b"#"):
        return None
    marker = words.pop(0) if words[0].startswith(b"@") else b""
    if len(words) < 3 or marker not in (b"", b"@revoked"):
        return None
    try:
        return Line(
            words[0],
            words[1].decode("ascii"),
            base64.b64decode(words[2], validate=True),
            bool(marker),
        )
    except (binascii.Error, ValueError):
        return None


def known(files: Iterable[str], names: Iterable[str]) -> Iterator[Line]:
    """The lines for a host under any of its names."""
    wanted = [name.encode() for name in names]
    for file in files:
        yield from (
            line for line in lines_of(file) if any(matches(line.names, name) for name in wanted)
        )


def matches(patterns: bytes, name: bytes) -> bool:
    """Whether a line's names mean a host.

    >>> matches(b"web-*,!web-9", b"web-1"), matches(b"web-*,!web-9", b"web-9")
    (True, False)
    """
    if patterns.startswith(b"|1|"):
        return hashed(patterns, name)
    found = False
    for pattern in patterns.split(b","):
        plain = pattern.removeprefix(b"!")
        # Of a glob only * and ? are special: brackets belong to a port.
        if re.fullmatch(re.escape(plain).replace(rb"\*", b".*").replace(rb"\?", b"."), name):
            if plain != pattern:
                return False
            found = True
    return found


def hashed(pattern: bytes, name: bytes) -> bool:
    try:
        _, _, salt, digest = pattern.split(b"|")
        return hmac.compare_digest(
            hmac.new(base64.b64decode(salt), name, hashlib.sha1).digest(), base64.b64decode(digest)
        )
    except (binascii.Error, ValueError):
        return False
