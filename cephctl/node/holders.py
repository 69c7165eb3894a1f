"""Who keeps a mount from going away: open files, working and root directories, mapped files; found
without touching them.
"""

from __future__ import annotations

import os
import re
from typing import Iterator

from cephctl.node.mounts import CEPH_TYPES, Json, mount_id

MOST_NAMED = 5


class Mounts:
    """The mounts of all namespaces of this node: their ids, those of Ceph's, and the devices of
    these as maps writes them.
    """

    def __init__(self) -> None:
        self.known: set[int] = set()
        self.ceph: set[int] = set()
        self.devices: set[str] = set()

    def add(self, folder: str) -> None:
        with open(folder + "/mountinfo", errors="replace") as file:
            for line in file:
                fields, _, rest = line.partition(" - ")
                number, _, device = fields.split()[:3]
                self.known.add(int(number))
                if rest.split(" ", 1)[0] in CEPH_TYPES:
                    self.ceph.add(int(number))
                    major, _, minor = device.partition(":")
                    self.devices.add(f"{int(major):02x}:{int(minor):02x}")


def holders() -> list[Json]:
    """Processes that hold something of a Ceph mount, or of a mount that is in no namespace any
    more: `mount` is "live" or "detached".
    """
    processes = [name for name in os.listdir("/proc") if name.isdigit()]
    mounts, spaces = Mounts(), set()
    for name in processes:
        try:
            space = os.readlink(f"/proc/{name}/ns/mnt")
            if space not in spaces:
                mounts.add("/proc/" + name)
                spaces.add(space)
        except OSError:
            continue
    found = []
    for name in processes:
        try:
            found += pins_of(name, mounts)
        except OSError:
            # It has ended, or it is a kernel thread.
            continue
    return found


def pins_of(pid: str, mounts: Mounts) -> list[Json]:
    held = holds(pid, mounts)
    states = {
        state: [path for where, path in held if where == state] for state in ("live", "detached")
    }
    return [
        dict(who(pid), mount=state, files=files[:MOST_NAMED], count=len(files))
        for state, files in states.items()
        if files
    ]


def holds(pid: str, mounts: Mounts) -> list[tuple[str, str]]:
    """Pairs: "live" or "detached", and the path as the process knows it."""
    folder = "/proc/" + pid
    held = []
    for number, path in mount_ids(folder):
        if number in mounts.ceph:
            held.append(("live", path))
        elif (
            number not in mounts.known
            and path.startswith("/")
            and not path.startswith(("/memfd:", "/dev/", "/SYSV"))
        ):
            held.append(("detached", path))
    with open(folder + "/maps", errors="replace") as file:
        mapped = {tuple(line.split(None, 5)[3:6:2]) for line in file if line.count(" ") > 5}
    held += [
        ("live", path.strip())
        for device, path in (pair for pair in mapped if len(pair) == 2)
        if device in mounts.devices
    ]
    return held


def mount_ids(folder: str) -> Iterator[tuple[int, str]]:
    """The mount of every file a process has open, and of its cwd and root. O_PATH on a magic link
    asks no file system.
    """
    for name in os.listdir(folder + "/fd"):
        if number := mount_id(f"{folder}/fdinfo/{name}"):
            yield number, os.readlink(f"{folder}/fd/{name}")
    for name in ("cwd", "root"):
        fd = os.open(f"{folder}/{name}", os.O_PATH)
        try:
            if number := mount_id(f"/proc/self/fdinfo/{fd}"):
                yield number, os.readlink(f"{folder}/{name}")
        finally:
            os.close(fd)


def who(pid: str) -> Json:
    """A process by name, state and systemd unit."""
    with open(f"/proc/{pid}/stat", errors="replace") as file:
        head, _, tail = file.read().rpartition(")")
    return {
        "pid": int(pid),
        "command": head.partition("(")[2],
        "state": tail.split()[0],
        "unit": unit_of(pid),
    }


def unit_of(pid: str) -> str | None:
    """The innermost unit of a process: a service, or a session's scope.

    >>> unit_in("0::/system.slice/nginx.service")
    'nginx.service'
    """
    with open(f"/proc/{pid}/cgroup") as file:
        return unit_in(file.read())


def unit_in(text: str) -> str | None:
    names = re.findall(r"([^/\n]+\.(?:service|scope))", text)
    return names[-1] if names else None


def is_service(pin: Json) -> bool:
    """Whether a holder is a part of the platform, to be stopped and started; else it is a login
    session or a job.
    """
    unit = str(pin["unit"])
    return unit.endswith(".service") and not unit.startswith(("user@", "ssh"))


def sleepers() -> list[Json]:
    """Processes in an uninterruptible sleep inside the Ceph client."""
    found = []
    for name in os.listdir("/proc"):
        if not name.isdigit():
            continue
        try:
            # Most processes are not, and the rest costs three more files each.
            with open(f"/proc/{name}/stat", "rb") as file:
                if file.read().rpartition(b")")[2].split()[0] != b"D":
                    continue
            process = who(name)
            with open(f"/proc/{name}/stack") as file:
                stack = [
                    line.split()[1].partition("+")[0] for line in file if len(line.split()) > 1
                ]
        except OSError:
            continue
        if any("ceph" in function for function in stack):
            found.append(dict(process, stack=stack[:6]))
    return found
