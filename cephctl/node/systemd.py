"""The mount's unit, which services depend on it, and what systemd thinks of both."""

from __future__ import annotations

import os
import re

from cephctl.node.mounts import Json, without_secret

SECONDS = 8
UNITS = {"h": 3600, "min": 60, "m": 60, "s": 1, "": 1, "ms": 0.001, "us": 0.000001}
PROPERTIES = (
    "Id LoadState ActiveState SubState Result UnitFileState FragmentPath DropInPaths "
    "NeedDaemonReload What Where Type Options "
    "TimeoutUSec After Before RequiredBy WantedBy BoundBy StateChangeTimestampMonotonic "
    "ActiveEnterTimestampMonotonic ExecMount "
    "SourcePath TriggeredBy"
)
SERVICE_PROPERTIES = (
    "Id ActiveState SubState Type After Requires BindsTo Wants PartOf RequiresMountsFor MainPID"
)


def run(*command: str, seconds: float = SECONDS) -> str:
    """What a program printed; whatever its exit status. TimeoutError."""
    # Slow to import, and not every node has systemd.
    import subprocess

    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise TimeoutError(f"'{' '.join(command[:3])}' did not end within {seconds:g} s") from None
    return done.stdout.decode(errors="replace")


def unit_name(path: str, suffix: str = ".mount") -> str:
    r"""The unit that systemd makes of a path.

    >>> unit_name("/var/www/storage"), unit_name("/srv/a-b"), unit_name("/.x"), unit_name("/")
    ('var-www-storage.mount', 'srv-a\\x2db.mount', '\\x2ex.mount', '-.mount')
    """
    words = path.strip("/")
    if not words:
        return "-" + suffix
    text = "".join(
        "-"
        if c == "/"
        else c
        if re.match(r"[A-Za-z0-9:_.]", c) and not (c == "." and not i)
        else escaped(c)
        for i, c in enumerate(words)
    )
    return text + suffix


def escaped(character: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in character.encode())


def show(names: list[str], properties: str) -> list[dict[str, str]]:
    """Properties of units, in one question."""
    text = run("systemctl", "show", "--no-pager", "-p", properties.replace(" ", ","), "--", *names)
    return [
        dict(line.partition("=")[::2] for line in block.splitlines() if "=" in line)
        for block in text.split("\n\n")
        if block.strip()
    ]


def unit_facts(path: str) -> Json:
    """The mount unit of a path. FileNotFoundError on a node without systemd."""
    name = unit_name(path)
    if not os.path.isdir("/run/systemd/system"):
        raise FileNotFoundError("this node does not run systemd")
    names = [name, unit_name(path, ".automount")]
    shown = {values.get("Id", ""): values for values in show(names, PROPERTIES)}
    unit = shown.get(name, {})
    facts: Json = {key: without_secret(value) for key, value in unit.items() if key != "ExecMount"}
    facts["name"] = name
    facts["has_secret"] = bool(
        re.search(r"\bsecret=(?!<hidden>)", unit.get("Options", "") + unit.get("ExecMount", ""))
    )
    facts["automount"] = shown.get(names[1], {}).get("ActiveState") == "active"
    facts["file"] = unit_file(unit.get("FragmentPath", ""))
    facts["misnamed"] = misnamed(path, name)
    status = re.search(r"code=(\S*) ; status=(\S*)", unit.get("ExecMount", ""))
    facts["exit"] = {"code": status.group(1), "status": status.group(2)} if status else None
    if facts.get("ActiveState") != "active":
        facts["log"] = unit_log(name)
    return facts


def unit_file(path: str) -> dict[str, str]:
    """The [Mount] settings of the file itself: the live properties follow mountinfo once it is
    mounted.
    """
    values: dict[str, str] = {}
    try:
        with open(path) as file:
            for line in file:
                name, equals, value = line.strip().partition("=")
                if equals and not name.startswith(("#", ";")):
                    values[name.strip()] = without_secret(value.strip())
    except OSError:
        return {}
    return values


def misnamed(path: str, name: str) -> list[str]:
    """Mount units for this path under another name, which systemd refuses to load."""
    folders = filter(
        os.path.isdir,
        ("/etc/systemd/system", "/usr/local/lib/systemd/system", "/lib/systemd/system"),
    )
    files = [
        os.path.join(folder, each) for folder in folders for each in sorted(os.listdir(folder))
    ]
    others = [file for file in files if file.endswith(".mount") and os.path.basename(file) != name]
    return [file for file in others if unit_file(file).get("Where", "").rstrip("/") == path]


def unit_log(name: str) -> list[str]:
    """What mount.ceph and systemd said at the last tries."""
    try:
        lines = run(
            "journalctl", "-u", name, "-n", "30", "-o", "cat", "--no-pager", "-b"
        ).splitlines()
    except OSError:
        return []
    return [without_secret(line)[:400] for line in lines]


def dependents(unit: Json) -> list[Json]:
    """The services that depend on the mount, and by which dependencies."""
    names: list[str] = []
    for key in ("RequiredBy", "BoundBy", "WantedBy"):
        names += [
            name
            for name in str(unit.get(key, "")).split()
            if name.endswith(".service") and name not in names
        ]
    mount = unit["name"]
    if not names:
        return []
    found = []
    for values in show(names, SERVICE_PROPERTIES):
        dependencies = [
            key
            for key in ("Requires", "BindsTo", "Wants", "PartOf", "RequiresMountsFor", "After")
            if mount in values.get(key, "").split()
        ]
        found.append(
            {
                "unit": values.get("Id"),
                "state": values.get("ActiveState"),
                "type": values.get("Type"),
                "dependencies": dependencies,
            }
        )
    return found


def seconds_of(text: str) -> float | None:
    """Systemd's time span in seconds; None for infinity. A number alone is seconds.

    >>> seconds_of("1min 30s"), seconds_of("90"), seconds_of("infinity"), seconds_of("500ms")
    (90.0, 90.0, None, 0.5)
    """
    found = re.findall(r"([\d.]+)\s*(h|min|ms|us|m|s|)(?![a-z])", text.strip())
    return float(sum(float(number) * UNITS[unit] for number, unit in found)) if found else None


def version() -> str:
    words = run("systemctl", "--version").split()
    return words[1] if len(words) > 1 else ""
