"""CephX keys and keyrings: read and compared, never shown."""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime

from cephctl.cephconf import MalformedFile, parse_sections, plain_text

KEY_TYPES = {1: "aes", 2: "aes256k"}
# Ceph encodes a key as type, creation seconds and nanoseconds, length, then the secret itself.
HEADER = struct.Struct("<HIIH")

SECRET_BYTES = {"aes": 16, "aes256k": 32}


class MalformedKey(ValueError):
    """Text that is not a CephX key; the message says why and never quotes it."""


@dataclass(frozen=True)
class Key:
    """A CephX key. Its text is in `secret` alone, which no repr, log or result shows."""

    type: str
    created: datetime
    secret: bytes = field(repr=False)

    @property
    def fingerprint(self) -> str:
        """Twelve hex digits of the secret's SHA-256. The header does not count: two texts with one
        secret are one key.
        """
        return hashlib.sha256(self.secret).hexdigest()[:12]


def parse_key(text: str) -> Key:
    """Decode a key as `ceph auth get-key` prints it.

    >>> parse_key("AQAFN3JqAAAAABAAAAECAwQFBgcICQoLDA0ODw==").type
    'aes'
    >>> parse_key("not a key")  # doctest: +IGNORE_EXCEPTION_DETAIL
    Traceback (most recent call last):
    MalformedKey: not base64
    """
    try:
        raw = base64.b64decode(text.strip(), validate=True)
    except (binascii.Error, ValueError):
        raise MalformedKey("not base64") from None
    if len(raw) < HEADER.size:
        raise MalformedKey(f"{len(raw)} bytes long, too short for a key")
    number, seconds, nanoseconds, length = HEADER.unpack_from(raw)
    secret = raw[HEADER.size :]
    if number not in KEY_TYPES:
        raise MalformedKey(f"of unknown type {number}")
    if len(secret) != length or not secret:
        raise MalformedKey(f"truncated: {len(secret)} of {length} bytes of secret")
    created = datetime.fromtimestamp(seconds, UTC).replace(
        microsecond=nanoseconds // 1000 % 1_000_000
    )
    return Key(KEY_TYPES[number], created, secret)


def new_key(kind: str, created: float, secret: bytes | None = None) -> str:
    """A key as text: a fresh one, or one with a former secret whose header tells when it was put
    back.

    >>> key = parse_key(new_key("aes", 1e9))
    >>> same = parse_key(new_key("aes", 2e9, key.secret))
    >>> key.type, key.created.year, same.fingerprint == key.fingerprint
    ('aes', 2001, True)
    """
    secret = secret or os.urandom(SECRET_BYTES[kind])
    number = next(number for number, name in KEY_TYPES.items() if name == kind)
    header = HEADER.pack(number, int(created), int(created % 1 * 1e9), len(secret))
    return base64.b64encode(header + secret).decode()


def keyring_text(entity: str, key: str, caps: Mapping[str, str] | None = None) -> str:
    """A keyring of one entity, as Ceph writes it."""
    lines = [
        f"[{entity}]",
        f"\tkey = {key}",
        *(f'\tcaps {service} = "{quoted(cap)}"' for service, cap in (caps or {}).items()),
    ]
    return "\n".join(lines) + "\n"


def quoted(cap: str) -> str:
    return cap.replace("\\", "\\\\").replace('"', '\\"')


@dataclass(frozen=True)
class Credential:
    """One section of a keyring: an entity, its key and the caps written beside it."""

    entity: str
    key: Key
    caps: Mapping[str, str]


def parse_keyring(content: bytes) -> dict[str, Credential]:
    r"""The credentials in a keyring file, by entity. MalformedFile for what librados could not
    digest.

    >>> sorted(parse_keyring(b"[client.a]\n key = AQAFN3JqAAAAABAAAAECAwQFBgcICQoLDA0ODw==\n"))
    ['client.a']
    """
    return {
        entity: credential(entity, values)
        for entity, values in parse_sections(plain_text(content)).items()
    }


def credential(entity: str, values: Mapping[str, str]) -> Credential:
    if not values.get("key"):
        raise MalformedFile(f"[{entity}] has no key")
    try:
        key = parse_key(values["key"])
    except MalformedKey as error:
        raise MalformedFile(f"the key of [{entity}] is {error}") from None
    caps = {
        name.removeprefix("caps "): cap for name, cap in values.items() if name.startswith("caps ")
    }
    return Credential(entity, key, caps)
