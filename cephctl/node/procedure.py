"""What the changes of a mount share: services, the system call umount2, waiting."""

from __future__ import annotations

import errno
import os
import time
from typing import Any, Callable

from cephctl.node import holders, systemd
from cephctl.node.mounts import Json

STOPPED = "/run/cephctl/stopped"
FORCE, DETACH = 1, 2


def name(pin: Json) -> str:
    return "{} ({}, {})".format(pin["command"], pin["pid"], pin["unit"] or "no unit")


def remember(services: list[str]) -> None:
    """The services that were stopped, for the next mount: of this run, or of another after a crash."""
    if not services:
        if os.path.exists(STOPPED):
            os.unlink(STOPPED)
        return
    with open(STOPPED + ".part", "w") as file:
        file.write("\n".join(services) + "\n")
    os.replace(STOPPED + ".part", STOPPED)


def remembered() -> list[str]:
    try:
        with open(STOPPED) as file:
            return file.read().split()
    except OSError:
        return []


def still_running(services: list[str]) -> list[str]:
    return [
        each["Id"]
        for each in systemd.show(services, "Id,ActiveState")
        if each["ActiveState"] not in ("inactive", "failed")
    ]


def idle(services: list[str]) -> list[str]:
    return [
        each["Id"]
        for each in systemd.show(services, "Id,ActiveState")
        if each["ActiveState"] != "active"
    ]


def busy() -> bool:
    return any(pin["mount"] == "live" for pin in holders.holders())


def unmounting(path: str, flags: int) -> Callable[[Callable[[Any], None]], None]:
    return lambda say: say(umount2(path, flags))


def umount2(path: str, flags: int) -> str:
    """The system call itself: umount(8) looks at the path first, and hangs there when the MDS is dead."""
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.umount2(os.fsencode(path), flags):
        return errno.errorcode.get(ctypes.get_errno(), "?")
    return "ok"


def wait_until(happened: Callable[[], bool], seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not tried(happened):
        if time.monotonic() > end:
            return False
        time.sleep(0.1)
    return True


def tried(happened: Callable[[], bool]) -> bool:
    """Systemctl may time out under load: then it has not happened yet."""
    try:
        return happened()
    except TimeoutError:
        return False
