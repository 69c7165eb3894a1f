"""All that a node can tell about its Ceph mount, in one answer. What could not be read says why."""

from __future__ import annotations

import os
import re
import sys
import time
from typing import Any, Callable

from cephctl.node import files, holders, kernel_log, mounts, network, probes, systemd
from cephctl.node.children import bounded
from cephctl.node.mounts import Json

BOUND_SECONDS = 4.0


def facts(request: Json) -> Json:
    """The request has path, entity, conf, secret, keyring, sentinel, addresses, probe (seconds, or
    None for none).
    """
    begun = time.monotonic()
    answer: Json = {
        "clock": {"start": time.time()},
        "uptime": time.clock_gettime(time.CLOCK_BOOTTIME),
    }
    path = request["path"]
    read(answer, "mounts", lambda: mounted(path))
    top = top_mount(answer, path)
    asked = (
        probes.start(request, top["id"])
        if top and top["type"] == "ceph" and request["probe"]
        else {}
    )
    read(answer, "host", host)
    read(answer, "clients", lambda: bounded(mounts.clients, BOUND_SECONDS))
    read(
        answer,
        "network",
        lambda: network.reach([*request["addresses"]] or own_monitors(request["conf"])),
    )
    read(answer, "kernel_log", kernel_log.kernel_log)
    read(answer, "unit", lambda: systemd.unit_facts(path))
    unit = answer["unit"] if "error" not in answer["unit"] else {}
    read(answer, "dependents", lambda: systemd.dependents(unit) if unit else [])
    read(answer, "files", lambda: file_facts(request, unit))
    read(answer, "fstab", lambda: files.fstab(path))
    read(answer, "kernel_keys", mounts.kernel_keys)
    read(answer, "module", mounts.module)
    read(answer, "directory", lambda: directory(path, top))
    read(
        answer,
        "holders",
        lambda: (
            bounded(holders.holders, BOUND_SECONDS)
            if request.get("holders") or zombies(answer)
            else []
        ),
    )
    if asked:
        answer["probes"] = hanging(answer, probes.results(asked, begun + request["probe"]))
    read(answer, "sleepers", holders.sleepers)
    answer["clock"]["end"] = time.time()
    answer["seconds"] = round(time.monotonic() - begun, 3)
    return answer


def read(answer: Json, name: str, source: Callable[[], Any]) -> None:
    """One section of the answer; in place of one that cannot be read, why."""
    try:
        answer[name] = source()
    except OSError as error:
        answer[name] = {"error": error.strerror or str(error)}


def mounted(path: str) -> list[Json]:
    """The mounts that matter: all of Ceph, and all on the path."""
    return [
        each
        for each in mounts.mounts()
        if each["type"] in mounts.CEPH_TYPES or each["target"] == path
    ]


def top_mount(answer: Json, path: str) -> Json | None:
    found = [each for each in answer["mounts"] if isinstance(each, dict) and each["target"] == path]
    return found[-1] if found else None


def own_monitors(conf: str) -> list[tuple[str, int]]:
    """The monitors that this node's ceph.conf names, for a time when the cluster cannot say."""
    text = files.conf_facts(conf).get("mon_host") or ""
    return [
        (host, int(port))
        for host, port in re.findall(r"([\w.\-]+|(?<=\[)[0-9a-f:]+(?=\])):(\d{4,5})", text)
    ]


def zombies(answer: Json) -> bool:
    """More clients live than are mounted: a process uses a mount that is no longer there."""
    if not isinstance(answer["clients"], list):
        return False
    return len(answer["clients"]) > len(
        {each["device"] for each in answer["mounts"] if each["type"] == "ceph"}
    )


def hanging(answer: Json, results: Json) -> Json:
    """What the client still waits for, read again while a probe hangs: the same requests as before
    are not moving.
    """
    if any(each["status"] == "hung" for each in results.values()) and isinstance(
        answer["clients"], list
    ):
        try:
            later = {each["id"]: each["requests"] for each in bounded(mounts.clients, 1)}
        except OSError:
            later = {}
        for each in answer["clients"]:
            each["requests_later"] = later.get(each["id"])
    return results


def host() -> Json:
    name = os.uname()
    helper = next(
        (each for each in ("/sbin/mount.ceph", "/usr/sbin/mount.ceph") if os.path.exists(each)),
        None,
    )
    return {
        "name": name.nodename,
        "kernel": name.release,
        "python": "{}.{}.{}".format(*sys.version_info[:3]),
        "user": os.geteuid(),
        "systemd": systemd.version() if os.path.isdir("/run/systemd/system") else None,
        "mount_helper": helper,
        "ceph_common": package_version("ceph-common"),
        "addresses": addresses(),
    }


def package_version(name: str) -> str | None:
    """The version of a Debian or RPM package, read from files where that is possible."""
    try:
        with open("/var/lib/dpkg/status", "rb") as file:
            text = file.read()
    except OSError:
        return systemd.run("rpm", "-q", "--qf", "%{VERSION}", name) or None
    start = text.find(f"Package: {name}\n".encode())
    if start < 0:
        return None
    lines = text[start : text.find(b"\n\n", start)].decode(errors="replace").splitlines()
    return next((line.partition(": ")[2] for line in lines if line.startswith("Version: ")), None)


def addresses() -> list[str]:
    """The node's IPv4 and IPv6 addresses, as the kernel's tables have them."""
    found = []
    with open("/proc/net/fib_trie") as file:
        last = ""
        for line in file:
            words = line.split()
            if words[:1] == ["|--"]:
                last = words[1]
            elif words[:2] == ["/32", "host"] and "LOCAL" in words and last not in found:
                found.append(last)
    try:
        with open("/proc/net/if_inet6") as file:
            for line in file:
                digits = line.split()[0]
                found.append(":".join(digits[i : i + 4] for i in range(0, 32, 4)))
    except OSError:
        pass
    return found


def file_facts(request: Json, unit: Json) -> Json:
    """The three files; the secret is the one that the unit names, if it names another."""
    options = (unit.get("file") or {}).get("Options", "")
    named = [
        word.partition("=")[2] for word in options.split(",") if word.startswith("secretfile=")
    ]
    secret = named[0] if named else request["secret"]
    return {
        "conf": files.conf_facts(request["conf"]),
        "secret": files.secret_facts(secret),
        "keyring": files.keyring_facts(request["keyring"], request["entity"]),
    }


def directory(path: str, top: Json | None) -> Json:
    """The mount point itself, where nothing is mounted on it: does it exist, and does it contain
    files?
    """
    if top:
        return {"mounted": True}
    if not os.path.isdir(path):
        return {"mounted": False, "exists": os.path.lexists(path), "is_directory": False}
    entries = sorted(os.listdir(path))
    return {
        "mounted": False,
        "exists": True,
        "is_directory": True,
        "entries": len(entries),
        "first": entries[:5],
    }
