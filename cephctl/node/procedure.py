"""What the changes of a mount share: services, the system call umount2, waiting."""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import time
from typing import Any, Callable

from cephctl.node import holders, systemd
from cephctl.node.children import Say
from cephctl.node.mounts import Json

LOCK = "/run/cephctl/mount.lock"
BUSY = "another cephctl is changing this node's mount"
STOPPED = "/run/cephctl/stopped"
FORCE, DETACH = 1, 2


class Stuck(Exception):
    """A step could not be done; what was done before it stands in the report."""


def name(pin: Json) -> str:
    return "{} ({}, {})".format(pin["command"], pin["pid"], pin["unit"] or "no unit")


def remember(services: list[str]) -> None:
    """The services that were stopped, for the next mount: of this run, or of another after a
    crash.
    """
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


def unmounting(path: str, flags: int) -> Callable[[Say], None]:
    return lambda say: say(umount2(path, flags))


def umount2(path: str, flags: int) -> str:
    """The system call itself: umount(8) looks at the path first, and hangs there when the MDS is
    dead.
    """
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


def execute(
    procedure: Any, report: Callable[[str | None], Json], *parts: Callable[[Any], None]
) -> Json:
    """One at a time on this node; the second is told so."""
    os.makedirs(os.path.dirname(LOCK), mode=0o700, exist_ok=True)
    # lockf, which children do not inherit: an umount that still flushes must not keep it.
    lock = os.open(LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.lockf(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        return report(BUSY)
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        for part in parts:
            part(procedure)
    except Stuck as stuck:
        return report(str(stuck))
    except Exception as error:  # noqa: BLE001 - the report must say how the node is left
        return report(f"{type(error).__name__}: {error}")
    return report(None)
