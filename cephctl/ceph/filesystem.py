"""A CephFS mounted through libcephfs; runs in a worker, which is killed when a call hangs."""

from __future__ import annotations

import errno
import os
import stat
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING, Any, TypeVar

from cephctl.ceph.commands import EVICTED, EVICTED_HINT, Cluster, denied
from cephctl.ceph.messages import Mounted, Unmounted, Waiting
from cephctl.errors import (
    Blocklisted,
    CephctlError,
    NotFound,
    Unanswered,
    UnexpectedAnswer,
    Unreachable,
)

if TYPE_CHECKING:
    import cephfs

T = TypeVar("T")
# 12,000 xattrs on a mount that has seen them before, on loopback: 3.2 s with one thread, 1.6 with
# four, 1.2 with sixteen,
# 1.4 with 32 (16.2.15, two cores). A network's round trips make the gap wider.
THREADS = 16
BATCH = 500


@dataclass(frozen=True)
class Entry:
    """A directory entry. A directory's `size` is its rbytes: all bytes below it."""

    name: str
    mode: int
    uid: int
    gid: int
    size: int

    @property
    def permissions(self) -> str:
        return f"{stat.S_IMODE(self.mode):04o}"

    @property
    def is_directory(self) -> bool:
        return stat.S_ISDIR(self.mode)

    @property
    def is_symlink(self) -> bool:
        return stat.S_ISLNK(self.mode)


class FileSystem:
    """One mount. Paths are absolute, from the file system's root; names may hold any byte
    (surrogateescape).
    """

    def __init__(self, cluster: Cluster, name: str, daemons: tuple[str, ...]) -> None:
        self.name = name
        self._daemons = daemons
        self._cluster = cluster
        self._mount: cephfs.LibCephFS | None = None
        self._statx = 0

    @contextmanager
    def mounted(self) -> Generator[FileSystem]:
        """Mount, and unmount on every way out: a session that dies blocks other clients for 60
        s.
        """
        import cephfs

        self._statx = (
            cephfs.CEPH_STATX_MODE
            | cephfs.CEPH_STATX_UID
            | cephfs.CEPH_STATX_GID
            | cephfs.CEPH_STATX_SIZE
        )
        self.waiting("mount the file system")
        mount = cephfs.LibCephFS(rados_inst=self._cluster.handle)
        with self.translated(f"mount file system {self.name}"):
            mount.mount(filesystem_name=self.name.encode())
        self._mount = mount
        try:
            # Inside: should the parent be gone, this is where the worker notices.
            self._cluster.report(Mounted(mount.get_instance_id(), self._daemons))
            yield self
        finally:
            # Unmounting within milliseconds of the last reply costs a whole second (10 of 20; none
            # of 40 with this pause).
            time.sleep(0.005)
            mount.unmount()
            mount.shutdown()
            self._cluster.report(Unmounted())

    @property
    def whom(self) -> str:
        """The MDS daemons behind this mount, for people."""
        return " and ".join(self._daemons)

    def waiting(self, what: str) -> None:
        """Say what is about to be asked of the MDS: the deadline's message names it."""
        self._cluster.report(Waiting(self.whom, what))

    def entry(self, path: str) -> Entry:
        """What is at a path; a symbolic link is not followed. NotFound when there is nothing."""
        import cephfs

        self.waiting(f"look up {path}")
        with self.translated(f"read {path}"):
            found = self.raw.statx(os.fsencode(path), self._statx, cephfs.AT_SYMLINK_NOFOLLOW)
        return entry_of(path.rpartition("/")[2], found)

    def entries(self, path: str) -> Iterator[Entry]:
        """Everything in a directory. The sizes came with the listing: no request per entry."""
        import cephfs

        self.waiting(f"list {path}")
        flags = cephfs.AT_SYMLINK_NOFOLLOW | cephfs.AT_STATX_DONT_SYNC
        raw, folder = self.raw, os.fsencode(path).rstrip(b"/")
        with self.translated(f"list {path}"):
            handle = raw.opendir(os.fsencode(path))
            try:
                count = 0
                while found := raw.readdir(handle):
                    if found.d_name in (b".", b".."):
                        continue
                    count += 1
                    if count % BATCH == 0:
                        self.waiting(f"list {path} (so far {count})")
                    try:
                        values = raw.statx(folder + b"/" + found.d_name, self._statx, flags)
                    except cephfs.ObjectNotFound:
                        continue
                    yield entry_of(os.fsdecode(found.d_name), values)
            finally:
                raw.closedir(handle)
            # An evicted client's readdir ends early, like a directory that is over: only another
            # request tells.
            raw.getxattr(os.fsencode(path), "ceph.dir.entries")

    def xattr(self, path: str, name: str) -> str | None:
        """One extended attribute as text, or None where there is none."""
        self.waiting(f"read {name} of {path}")
        return self._xattr(path, name)

    def _xattr(self, path: str, name: str) -> str | None:
        import cephfs

        with self.translated(f"read {name} of {path}"):
            try:
                value: bytes = self.raw.getxattr(os.fsencode(path), name)
            except cephfs.NoData:
                return None
            return value.decode()

    def xattrs(
        self, paths: Iterable[str], names: Sequence[str]
    ) -> Iterator[tuple[str, dict[str, str | None]]]:
        """Several attributes of many paths, read by a few threads at once, in order; a path that is
        gone is left out.
        """

        def read(path: str) -> tuple[str, dict[str, str | None]] | None:
            try:
                return path, {name: self._xattr(path, name) for name in names}
            except NotFound:
                return None

        for batch in batches(paths, BATCH):
            self.waiting(f"read {', '.join(names)} of {batch[0]} and others")
            yield from filter(None, threaded(read, batch))

    def set_xattr(self, path: str, name: str, value: str) -> None:
        self.waiting(f"set {name} of {path}")
        with self.translated(f"set {name} of {path}"):
            self.raw.setxattr(os.fsencode(path), name, value.encode(), 0)

    def create(self, path: str, size: int, mode: int) -> None:
        """A new file of zeros, in which nothing is written: that needs no right to the data
        pool.
        """
        self.waiting(f"create {path}")
        name = os.fsencode(path)
        with self.translated(f"create {path}"):
            self.raw.close(self.raw.open(name, os.O_CREAT | os.O_EXCL | os.O_WRONLY, mode))
            self.raw.truncate(name, size)

    @property
    def raw(self) -> cephfs.LibCephFS:
        assert self._mount
        return self._mount

    @contextmanager
    def translated(self, deed: str) -> Generator[None]:
        """Turn the binding's errors into ours; it raises its own OSError, which is not Python's."""
        import cephfs

        try:
            yield
        except cephfs.Error as error:
            raise self.error(deed, getattr(error, "errno", None) or error.args[0], error) from None

    def error(self, deed: str, code: Any, error: Exception) -> CephctlError:
        match abs(code) if isinstance(code, int) else code:
            case errno.ENOENT:
                return NotFound(f"cannot {deed}: no such file or directory")
            case errno.EACCES | errno.EPERM:
                return denied(self._cluster.target, deed, "mds")
            case errno.ESHUTDOWN:
                return Blocklisted(EVICTED, EVICTED_HINT)
            case errno.ETIMEDOUT:
                return Unanswered(self.whom, deed, self._cluster.target.timeout)
            case errno.EXDEV | errno.EINVAL | errno.EOPNOTSUPP:
                return UnexpectedAnswer(f"cannot {deed}: {os.strerror(abs(code))}")
        return UnexpectedAnswer(f"cannot {deed}: {error}")


def mount(cluster: Cluster) -> FileSystem:
    """The file system to work on, if its MDS can be expected to answer: a mount without one would
    only wait.
    """
    dump = cluster.command("fs dump")
    systems = {each["mdsmap"]["fs_name"]: each["mdsmap"] for each in dump["filesystems"]}
    name = choose(systems, cluster.target.file_system)
    mdsmap = systems[name]
    daemons = {
        info["rank"]: info
        for info in mdsmap["info"].values()
        if info["state"] != "up:standby-replay"
    }
    for rank in mdsmap["in"]:
        info = daemons.get(rank)
        if info is None:
            standbys = len(dump["standbys"])
            raise Unreachable(
                f"file system {name}: rank {rank} has no MDS",
                f"{standbys} standby MDS; see 'cephctl mds status'",
            )
        if "laggy_since" in info:
            raise Unreachable(
                (
                    f"file system {name}: mds.{info['name']} of rank {rank} does not answer "
                    "the monitors (laggy)"
                ),
                "see 'cephctl mds status'",
            )
        if info["state"] != "up:active":
            raise Unreachable(
                (
                    f"file system {name}: mds.{info['name']} of rank {rank} is "
                    f"{info['state']}, not up:active"
                ),
                "it may need a minute; see 'cephctl mds status'",
            )
    if not mdsmap["in"]:
        raise Unreachable(f"file system {name} has no active MDS", "see 'cephctl mds status'")
    return FileSystem(cluster, name, tuple(f"mds.{daemons[rank]['name']}" for rank in mdsmap["in"]))


def choose(systems: dict[str, Any], wanted: str | None) -> str:
    """The file system asked for, or the only one."""
    there = ", ".join(sorted(systems)) or "none"
    if wanted:
        if wanted not in systems:
            raise NotFound(
                f"no file system {wanted}; there is {there}",
                "set 'filesystem' in [ceph] of cephctl.toml",
            )
        return wanted
    if len(systems) != 1:
        raise NotFound(
            f"which file system? there is {there}", "set 'filesystem' in [ceph] of cephctl.toml"
        )
    return next(iter(systems))


def entry_of(name: str, found: dict[str, int]) -> Entry:
    return Entry(name, found["mode"], found["uid"], found["gid"], found["size"])


def threaded(work: Callable[[str], T], items: Sequence[str]) -> list[T]:
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, items))


def batches(items: Iterable[str], size: int) -> Iterator[list[str]]:
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch
