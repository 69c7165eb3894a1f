"""What the kernel of this node knows of its mounts and its Ceph clients, read without touching a
mount.
"""

from __future__ import annotations

import os
import re
from typing import Any, TypeAlias

Json: TypeAlias = "dict[str, Any]"
"""A part of an answer: what json.dumps takes."""
DEBUGFS = "/sys/kernel/debug/ceph"
CEPH_TYPES = ("ceph", "fuse.ceph-fuse", "fuse.ceph")
MOST_LINES = 50


def mounts() -> list[Json]:
    """Every line of mountinfo, in the kernel's order: of two on one target the later lies on
    top.
    """
    with open("/proc/self/mountinfo", errors="surrogateescape") as file:
        return [parse(line) for line in file]


def mounts_on(path: str) -> list[Json]:
    """What is mounted on a path, lowest first."""
    return [each for each in mounts() if each["target"] == path]


def mount_id(fdinfo: str) -> int | None:
    """The mount of an open descriptor, by its file in fdinfo: no file system is asked."""
    with open(fdinfo) as file:
        match = re.search(r"mnt_id:\s*(\d+)", file.read())
    return int(match.group(1)) if match else None


def parse(line: str) -> Json:
    """One line of mountinfo.

    >>> parse("168 25 0:41 / /my\\\\040dir rw shared:68 - ceph 10.0.0.1:/ rw,name=web")["target"]
    '/my dir'
    """
    left, _, right = line.rstrip("\n").partition(" - ")
    number, parent, device, root, target, options = left.split(" ")[:6]
    kind, source, details = [*right.split(" "), "", ""][:3]
    return {
        "id": int(number),
        "parent": int(parent),
        "device": device,
        "root": unescape(root),
        "target": unescape(target),
        "options": options.split(","),
        "type": kind,
        "source": unescape(source),
        "super_options": without_secret(details).split(","),
    }


def unescape(text: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda match: chr(int(match.group(1), 8)), text)


def without_secret(text: str) -> str:
    """Mount options, whatever text they stand in, without the secret that may have been put
    there.

    >>> without_secret("name=web,secret=AQB1==,noatime secretfile=/x")
    'name=web,secret=<hidden>,noatime secretfile=/x'
    """
    return re.sub(r"\bsecret=[^,\s\"']+", "secret=<hidden>", text)


def ceph_mounts() -> list[Json]:
    return [mount for mount in mounts() if mount["type"] in CEPH_TYPES]


def clients(with_requests: bool = True) -> list[Json]:
    """Every Ceph client that lives in this kernel, with or without a mount. PermissionError and
    FileNotFoundError say why not.

    Reading the requests can block on a mutex of a client that hangs; all else never did.
    """
    if not os.path.isdir("/sys/kernel/debug"):
        raise FileNotFoundError("debugfs is not there")
    if not os.listdir("/sys/kernel/debug"):
        raise FileNotFoundError("debugfs is not mounted on /sys/kernel/debug")
    if not os.path.isdir(DEBUGFS):
        return []
    found = []
    for name in sorted(os.listdir(DEBUGFS)):
        try:
            found += [client(name, with_requests)] if ".client" in name else []
        except FileNotFoundError:
            # It ended while it was looked at.
            continue
    return found


def client(name: str, with_requests: bool) -> Json:
    """One directory of debugfs. `instance` is ip:port/nonce, and None on kernels that do not tell
    it (before 5.11).
    """
    fsid, _, number = name.rpartition(".client")
    status, sessions = lines_of(name, "status"), lines_of(name, "mds_sessions")
    instance = re.search(r"\((?:\d+)\)(\S+)", " ".join(status))
    entity = re.search(r'name "([^"]*)"', " ".join(sessions))
    return {
        "fsid": fsid,
        "id": int(number),
        "started": os.stat(os.path.join(DEBUGFS, name)).st_ctime,
        "instance": instance.group(1) if instance else None,
        "blocklisted": "blocklisted: true" in status if status else None,
        "name": entity.group(1) if entity else None,
        "sessions": {
            int(m.group(1)): m.group(2)
            for m in map(re.compile(r"mds\.(\d+)\s+(\S+)").match, sessions)
            if m
        },
        "requests": requests(name) if with_requests else {},
        "monc": lines_of(name, "monc"),
        "options": without_secret(" ".join(lines_of(name, "client_options"))),
    }


def requests(name: str) -> dict[str, list[str]]:
    """What the client waits for: requests to the MDS and to OSDs, one line each."""
    osdc = [line for line in lines_of(name, "osdc") if re.match(r"\d+\s+osd|REQUESTS", line)]
    return {"mds": lines_of(name, "mdsc")[:MOST_LINES], "osd": osdc[:MOST_LINES]}


def lines_of(name: str, file: str) -> list[str]:
    try:
        with open(os.path.join(DEBUGFS, name, file), errors="replace") as stream:
            return [line.strip() for line in stream if line.strip()]
    except OSError:
        return []


def kernel_keys() -> list[str]:
    """The names of the Ceph keys in the kernel's key store, which mount.ceph falls back to."""
    names = []
    with open("/proc/keys") as file:
        for line in file:
            fields = line.split(None, 8)
            if len(fields) > 8 and fields[7] == "ceph":
                names.append(fields[8].rpartition(":")[0] or fields[8].strip())
    return names


def module() -> Json:
    """Whether this kernel can mount CephFS, or could load what it takes."""
    with open("/proc/filesystems") as file:
        loaded = any(line.split()[-1] == "ceph" for line in file)
    folder = "/lib/modules/" + os.uname().release
    found = loaded
    if not loaded:
        for name in ("modules.dep", "modules.builtin"):
            try:
                with open(os.path.join(folder, name)) as file:
                    for line in file:
                        path = line.split(":")[0].strip()
                        if re.search(r"/fs/ceph/ceph\.ko", path):
                            found = (
                                found
                                or name == "modules.builtin"
                                or os.path.exists(os.path.join(folder, path))
                            )
            except OSError:
                continue
    return {"loaded": loaded, "available": found, "folder": os.path.isdir(folder)}
