"""Put a mount's files in place: only what differs, each at once or not at all, with the right owner
and mode.
"""

from __future__ import annotations

import os
import re

from cephctl.node import files, systemd
from cephctl.node.mounts import Json, without_secret

RELOAD_SECONDS = 30


def push(request: Json) -> Json:
    """Each of request["files"] has path, mode, kind ("secret", "keyring", "settings") and what it
    is to hold. Changes are told as {path, what, before, after}; keys by fingerprint. With `write`
    false nothing is written.
    """
    changes: list[Json] = []
    for wanted in request["files"]:
        before = files.content_of(wanted["path"])
        after, told = PLANS[wanted["kind"]](wanted, before)
        told += ownership(wanted["path"], wanted["mode"]) if before is not None else []
        changes += [dict(change, path=wanted["path"]) for change in told]
        if told and request["write"]:
            write(wanted["path"], after, wanted["mode"])
    return {"changes": changes, "problem": told_systemd(request, changes)}


def told_systemd(request: Json, changes: list[Json]) -> str | None:
    """Have systemd read a unit that was changed, and enable it; or what kept it from that. Without
    a unit there is nothing to do.
    """
    unit = request["enable"]
    if unit is None:
        return None
    try:
        if systemd.run("systemctl", "is-enabled", unit).strip() != "enabled":
            changes.append({"path": unit, "what": "enabled", "before": "no", "after": "yes"})
        if request["write"] and any(str(change["path"]).endswith(unit) for change in changes):
            systemd.run("systemctl", "daemon-reload", seconds=RELOAD_SECONDS)
            systemd.run("systemctl", "enable", unit, seconds=RELOAD_SECONDS)
    except TimeoutError as error:
        return f"the files are written, but {error}"
    return None


def remove(request: Json) -> Json:
    """Remove files that are of no more use; those that were there are told. With `write` false they
    stay.
    """
    there = [path for path in request["paths"] if os.path.lexists(path)]
    for path in there if request["write"] else ():
        os.unlink(path)
    return {"removed": there}


def plan_secret(wanted: Json, before: bytes | None) -> tuple[bytes, list[Json]]:
    return plan_key(wanted, before, files.secret_class(before) if before is not None else {})


def plan_keyring(wanted: Json, before: bytes | None) -> tuple[bytes, list[Json]]:
    """A keyring of one entity; what else the file holds is not ours to keep: it is named after the
    entity.
    """
    section = files.sections_of((before or b"").decode("latin-1")).get(wanted["entity"], {})
    return plan_key(
        wanted,
        before,
        files.key_facts(section["key"]) if section.get("key") else {"class": "no key"},
    )


def plan_key(wanted: Json, before: bytes | None, old: Json) -> tuple[bytes, list[Json]]:
    after = wanted["content"].encode()
    told = None if before is None else old.get("fingerprint") or old["class"]
    same = told == wanted["fingerprint"]
    return after, [] if same else [{"what": "key", "before": told, "after": wanted["fingerprint"]}]


def plan_settings(wanted: Json, before: bytes | None) -> tuple[bytes, list[Json]]:
    """Lines "name = value" of one section: those that differ are replaced, all others stay as they
    are.
    """
    if before is None:
        return wanted["content"].encode(), [{"what": "file", "before": None, "after": "created"}]
    text, changes = before.decode("utf-8", "surrogateescape"), []
    for name, value in wanted["values"].items():
        found = setting(text, wanted["section"], name)
        if found is None or not same(name, found, value):
            text = replaced(text, wanted["section"], name, value)
            changes.append(
                {
                    "what": name,
                    "before": None if found is None else without_secret(found),
                    "after": value,
                }
            )
    return text.encode("utf-8", "surrogateescape"), changes


def same(name: str, found: str, wanted: str) -> bool:
    """Equal in effect: the order of options does not matter, and a longer timeout is as good."""
    if name == "Options":
        return set(found.split(",")) == set(wanted.split(","))
    if name == "TimeoutSec":
        return (systemd.seconds_of(found) or 1e9) >= (systemd.seconds_of(wanted) or 0)
    if name == "mon host":
        return (
            set(re.findall(r"[\w.]+:\d+|[\w.]{4,}", found))
            >= set(re.findall(r"v1:([\w.]+:\d+)", wanted))
            or found == wanted
        )
    return found == wanted


def pattern(name: str) -> str:
    return r"[ \t]*" + r"[ _\-]".join(map(re.escape, name.split(" "))) + r"[ \t]*=[ \t]*"


def section_span(text: str, section: str) -> tuple[int, int] | None:
    head = re.search(rf"(?m)^[ \t]*\[\s*{re.escape(section)}\s*\][^\n]*\n?", text)
    if not head:
        return None
    following = re.search(r"(?m)^[ \t]*\[", text[head.end() :])
    return head.end(), head.end() + following.start() if following else len(text)


def setting(text: str, section: str, name: str) -> str | None:
    r"""The value of a setting, the last one of several.

    >>> setting("[Mount]\nWhat=a:/\n[Install]\nWhat=b\n", "Mount", "What")
    'a:/'
    """
    span = section_span(text, section)
    found = (
        re.findall(r"(?mi)^" + pattern(name) + r"([^\n]*)", text[span[0] : span[1]]) if span else []
    )
    return found[-1].strip() if found else None


def replaced(text: str, section: str, name: str, value: str) -> str:
    r"""The text with this setting, in its old place or at the section's beginning.

    >>> replaced("[Mount]\nWhat=a:/\n", "Mount", "What", "b:/")
    '[Mount]\nWhat=b:/\n'
    >>> replaced("[x]\n", "Mount", "What", "b:/")
    '[x]\n\n[Mount]\nWhat=b:/\n'
    """
    span = section_span(text, section)
    line = "{}{}{}\n".format(name, " = " if " " in name or name.islower() else "=", value)
    if span is None:
        return text.rstrip("\n") + f"\n\n[{section}]\n{line}"
    body = re.sub(r"(?mi)^" + pattern(name) + r"[^\n]*\n?", "\0", text[span[0] : span[1]])
    first = body.find("\0")
    body = line + body if first < 0 else body[:first] + line + body[first + 1 :].replace("\0", "")
    return text[: span[0]] + body + text[span[1] :]


def ownership(path: str, mode: int) -> list[Json]:
    found = os.stat(path)
    told = f"{found.st_mode & 0o7777:04o} {found.st_uid}:{found.st_gid}"
    wanted = f"{mode:04o} 0:0"
    return [] if told == wanted else [{"what": "mode", "before": told, "after": wanted}]


def write(path: str, content: bytes, mode: int) -> None:
    """Whoever reads it sees the old file or the new one, also after a power failure."""
    folder = os.path.dirname(path)
    os.makedirs(folder, exist_ok=True)
    unfinished = f".{os.path.basename(path)}.cephctl-"
    for name in os.listdir(folder):
        # Of one that was killed, perhaps with a key in it.
        if name.startswith(unfinished):
            os.unlink(os.path.join(folder, name))
    part = os.path.join(folder, f"{unfinished}{os.getpid()}")
    try:
        with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
            file.write(content)
            file.flush()
            os.fchown(file.fileno(), 0, 0)
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        os.replace(part, path)
    except OSError:
        if os.path.exists(part):
            os.unlink(part)
        raise
    directory = os.open(folder, os.O_RDONLY)
    os.fsync(directory)
    os.close(directory)


PLANS = {"secret": plan_secret, "keyring": plan_keyring, "settings": plan_settings}
