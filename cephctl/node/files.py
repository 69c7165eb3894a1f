"""The files that a mount is made with: what kind of thing each holds, whose it is, and never its
content.
"""

from __future__ import annotations

import os
import re
import stat
import struct

from cephctl.node.mounts import Json, without_secret

# Type, creation seconds and nanoseconds, length of what follows: as Ceph encodes a key.
HEADER = struct.Struct("<HIIH")
LARGEST = 1 << 20


def file_facts(path: str) -> Json:
    """Mode, owner and age of a file; `exists` alone when it is not there."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return {"path": path, "exists": False}
    return {
        "path": path,
        "exists": True,
        "is_file": os.path.isfile(path),
        "mode": stat.S_IMODE(os.stat(path).st_mode)
        if os.path.exists(path)
        else stat.S_IMODE(found.st_mode),
        "uid": found.st_uid,
        "gid": found.st_gid,
        "size": os.path.getsize(path) if os.path.isfile(path) else 0,
        "changed": found.st_mtime,
    }


def content_of(path: str) -> bytes | None:
    if not os.path.isfile(path):
        return None
    with open(path, "rb") as file:
        return file.read(LARGEST)


def secret_facts(path: str) -> Json:
    """A secret file: what kind of content it has, and the fingerprint of the key in it."""
    facts, content = file_facts(path), content_of(path)
    return facts if content is None else dict(facts, **secret_class(content))


def secret_class(content: bytes) -> Json:
    """What mount.ceph would find.

    >>> [secret_class(c)["class"] for c in (b"", b"[client.web]\\n", b"key = x", b"AQ==", b"x y")]
    ['empty', 'keyring', 'keyring', 'garbled', 'garbled']
    """
    text = content.decode("latin-1")
    if not text.strip():
        return {"class": "empty"}
    if re.search(r"^\s*(\[|key\s*=)", text, re.MULTILINE):
        return {"class": "keyring"}
    return key_facts(text)


def key_facts(text: str) -> Json:
    """A key by its header and fingerprint (of the secret bytes alone: the header does not
    authenticate).
    """
    # Slow to import: OpenSSL is behind it.
    import base64
    import hashlib

    try:
        raw = base64.b64decode(text.strip(), validate=True)
        number, seconds, _, length = HEADER.unpack_from(raw)
    except (ValueError, struct.error):
        return {"class": "garbled"}
    secret = raw[HEADER.size :]
    if number not in (1, 2) or len(secret) != length or not secret:
        return {"class": "garbled"}
    return {
        "class": "key",
        "type": number,
        "created": seconds,
        "fingerprint": hashlib.sha256(secret).hexdigest()[:12],
    }


def keyring_facts(path: str, entity: str) -> Json:
    """A keyring file: whom it has keys for, and the facts of this entity's."""
    facts, content = file_facts(path), content_of(path)
    if content is None:
        return facts
    sections = sections_of(content.decode("latin-1"))
    key = sections.get(entity, {}).get("key")
    return dict(facts, entities=sorted(sections), **(key_facts(key) if key else {"class": "empty"}))


def conf_facts(path: str) -> Json:
    """ceph.conf: the two things a mount takes from it."""
    facts, content = file_facts(path), content_of(path)
    if content is None:
        return facts
    values = sections_of(content.decode("latin-1")).get("global", {})
    return dict(facts, fsid=values.get("fsid"), mon_host=values.get("mon host"))


def sections_of(text: str) -> dict[str, dict[str, str]]:
    sections: dict[str, dict[str, str]] = {}
    section = ""
    for raw in text.replace("\\\n", "  ").splitlines():
        line = re.sub(r"(^|\s)[#;].*$", "", raw).strip()
        if line.startswith("[") and line.endswith("]"):
            section = line[1:-1].strip()
            sections.setdefault(section, {})
        elif "=" in line:
            name, _, value = line.partition("=")
            sections.setdefault(section, {})[re.sub(r"[\s_-]+", " ", name.strip()).lower()] = (
                value.strip().strip('"')
            )
    return sections


def fstab(target: str) -> list[Json]:
    """The lines of fstab that are about Ceph or about this directory; a secret in one is reported,
    not shown.
    """
    lines = []
    for number, raw in enumerate(
        (content_of("/etc/fstab") or b"").decode("latin-1").splitlines(), start=1
    ):
        fields = raw.split()
        if len(fields) < 4 or raw.lstrip().startswith("#"):
            continue
        if fields[2] == "ceph" or fields[1].rstrip("/") == target:
            has_secret = bool(re.search(r"\bsecret=", fields[3]))
            options = without_secret(fields[3]).split(",")
            lines.append(
                {
                    "line": number,
                    "source": fields[0],
                    "target": fields[1],
                    "type": fields[2],
                    "options": options,
                    "has_secret": has_secret,
                }
            )
    return lines
