"""Three questions to the mount, one per kind of daemon, each in a child that may hang: the
monitors, the MDS, the OSDs.

None creates anything and none syncs: a create can succeed without an MDS and be carried out later,
and a sync that hangs cannot be killed (both measured on Linux 6.1).
"""

from __future__ import annotations

import errno
import fcntl
import mmap
import os
import stat
import time
from typing import Callable

from cephctl.node.children import Child, Say
from cephctl.node.mounts import Json, mount_id

CEPH_SUPER_MAGIC = 0x00C36400
LOCKS = "/run/cephctl"
BLOCK = 4096


def start(request: Json, mount: int) -> dict[str, Child]:
    """Start the probes of the mount with this id. What another mount would answer does not
    count.
    """
    path, sentinel = request["path"], request["sentinel"]
    os.makedirs(LOCKS, mode=0o700, exist_ok=True)
    asks: dict[str, Callable[[int, Say], None]] = {"mon": ask_mon, "mds": ask_mds}
    if sentinel:
        file, write = os.path.join(path, sentinel), bool(request.get("write"))
        asks["osd"] = lambda fd, say: ask_osd(file, mount, write, say)
    return {name: Child(probe(name, path, mount, ask)) for name, ask in asks.items()}


def probe(
    name: str, path: str, mount: int, ask: Callable[[int, Say], None]
) -> Callable[[Say], None]:
    """The child's work: one at a time on this node, on the mount that is meant, its answer
    timed.
    """

    def work(say: Say) -> None:
        # Whoever still hangs in the same question holds the lock: no pile of stuck processes.
        lock = os.open(os.path.join(LOCKS, f"probe-{name}.lock"), os.O_RDWR | os.O_CREAT, 0o600)
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            since, pid = former(lock)
            say({"status": "busy", "pid": pid, "since": since})
            return
        os.ftruncate(lock, 0)
        os.pwrite(lock, f"{time.time():.0f} {os.getpid()}".encode(), 0)
        begun = time.monotonic()
        try:
            # O_PATH opens without asking the MDS.
            fd = os.open(path, os.O_PATH | os.O_DIRECTORY)
            on_mount(fd, mount)
            ask(fd, say)
        except OSError as error:
            name_of_error = errno.errorcode.get(error.errno or 0, str(error))
            say(
                {
                    "status": "error",
                    "error": name_of_error,
                    "seconds": round(time.monotonic() - begun, 3),
                }
            )
            return
        say({"status": "ok", "seconds": round(time.monotonic() - begun, 3)})

    return work


def on_mount(fd: int, mount: int) -> None:
    """After a half-done umount a path answers from the root file system; the id of a descriptor's
    mount needs no daemon.
    """
    if mount_id(f"/proc/self/fdinfo/{fd}") != mount:
        raise OSError(errno.ESTALE, "another mount")


def former(lock: int) -> tuple[float | None, int | None]:
    """Since when, and who, as the holder of the lock wrote it."""
    words = os.pread(lock, 64, 0).split()
    return (float(words[0]), int(words[1])) if len(words) == 2 else (None, None)


def ask_mon(fd: int, say: Say) -> None:
    """statfs: the kernel asks a monitor for it, every time."""
    import ctypes

    buffer = (ctypes.c_long * 32)()
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.fstatfs(fd, ctypes.byref(buffer)):
        raise OSError(ctypes.get_errno(), "fstatfs")
    if buffer[0] != CEPH_SUPER_MAGIC:
        raise OSError(errno.ESTALE, "no CephFS")


def ask_mds(fd: int, say: Say) -> None:
    """A recursive statistic: no cache answers it, the MDS must."""
    os.getxattr(f"/proc/self/fd/{fd}", "ceph.dir.rctime")


def ask_osd(path: str, mount: int, write: bool, say: Say) -> None:
    """Read a block of a file that is there, past the page cache. `say` tells how far it came:
    opening it asks the MDS.
    """
    fd = os.open(path, (os.O_RDWR if write else os.O_RDONLY) | os.O_DIRECT)
    on_mount(fd, mount)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        raise OSError(errno.EINVAL, "no regular file")
    say({"status": "opened"})
    with mmap.mmap(-1, BLOCK) as block:
        os.preadv(fd, [block], 0)
        if write:
            say({"status": "read"})
            os.pwritev(fd, [block], 0)


def results(children: dict[str, Child], end: float) -> dict[str, Json]:
    """What each probe answered. One that is still silent at the end is killed and left behind:
    "hung", with where it sleeps.
    """
    return {name: result(child, end) for name, child in children.items()}


def result(child: Child, end: float) -> Json:
    ended = child.wait(end)
    last = child.messages[-1] if child.messages else {}
    if ended and last.get("status") in ("ok", "error", "busy"):
        return dict(last, reached=reached(child.messages))
    if ended:
        return {
            "status": "error",
            "error": "the probe ended without an answer",
            "reached": reached(child.messages),
        }
    facts: Json = dict(child.where())
    seconds = round(time.monotonic() - child.started, 1)
    child.abandon()
    return dict(facts, status="hung", seconds=seconds, reached=reached(child.messages))


def reached(messages: list[Json]) -> str | None:
    """How far the OSD's probe came: None, "opened", "read"."""
    steps = [message["status"] for message in messages if message["status"] in ("opened", "read")]
    return steps[-1] if steps else None
