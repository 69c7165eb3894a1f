"""The file system as client.admin sees it, for preparing and checking tests."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import cephfs
import rados

from tests.lab.ceph import Cluster
from tests.lab.tenants import make_directory, make_tenant


class Storage:
    """A mount with every right."""

    def __init__(self, fs: cephfs.LibCephFS) -> None:
        self.fs = fs

    @staticmethod
    @contextmanager
    def of(cluster: Cluster) -> Iterator[Storage]:
        handle = connect(cluster)
        fs = cephfs.LibCephFS(rados_inst=handle)
        fs.mount()
        try:
            yield Storage(fs)
        finally:
            fs.unmount()
            fs.shutdown()
            handle.shutdown()

    def make_tenants(self, names: Sequence[str]) -> None:
        """Exactly these tenants, empty and without a quota."""
        self.clear("/")
        self.set_quota("/", 0, 0)
        for uid, name in enumerate(names, start=2001):
            make_tenant(self.fs, f"{name}", uid)

    def clear(self, folder: str) -> None:
        """Remove all that is in a directory."""
        handle = self.fs.opendir(folder.encode(errors="surrogateescape"))
        entries = []
        while entry := self.fs.readdir(handle):
            if entry.d_name not in (b".", b".."):
                entries.append(
                    (
                        folder.rstrip("/") + "/" + entry.d_name.decode(errors="surrogateescape"),
                        entry.is_dir(),
                    )
                )
        self.fs.closedir(handle)
        for path, is_directory in entries:
            raw = path.encode(errors="surrogateescape")
            if is_directory:
                self.clear(path)
                self.fs.rmdir(raw)
            else:
                self.fs.unlink(raw)

    def make_directories(self, paths: Sequence[str]) -> None:
        for path in paths:
            make_directory(self.fs, path, 0o755, 0)

    def write(self, path: str, size: int) -> None:
        fd = self.fs.open(path, "w", 0o644)
        self.fs.write(fd, b"x" * size, 0)
        self.fs.fsync(fd, 0)
        self.fs.close(fd)

    def quota(self, path: str) -> tuple[int, int]:
        """max_bytes and max_files as the cluster has them; 0 is none."""
        try:
            value = self.fs.getxattr(path.encode(), "ceph.quota").decode()
        except cephfs.NoData:
            return 0, 0
        limits = dict(pair.split("=") for pair in value.split())
        return int(limits["max_bytes"]), int(limits["max_files"])

    def set_quota(self, path: str, max_bytes: int, max_files: int) -> None:
        self.fs.setxattr(path.encode(), "ceph.quota.max_bytes", str(max_bytes).encode(), 0)
        self.fs.setxattr(path.encode(), "ceph.quota.max_files", str(max_files).encode(), 0)

    def wait_for_rbytes(self, path: str, size: int) -> None:
        """Recursive statistics lag: wait until a directory's are what was written."""
        end = time.monotonic() + 60
        while int(self.fs.getxattr(path.encode(), "ceph.dir.rbytes")) != size:
            assert time.monotonic() < end, f"{path}: rbytes never became {size}"
            time.sleep(0.2)


def connect(cluster: Cluster) -> rados.Rados:
    keyring = str(cluster.keyring("client.admin"))
    options = {
        "keyring": keyring,
        "client_mount_timeout": "20",
        "client_shutdown_timeout": "2",
        "rados_mon_op_timeout": "20",
    }
    handle = rados.Rados(name="client.admin", conffile=str(cluster.operator_conf), conf=options)
    handle.connect()
    return handle


@contextmanager
def mds_commands(cluster: Cluster) -> Iterator[Any]:
    """A function that asks the active MDS within milliseconds."""
    handle = connect(cluster)
    asker = cephfs.LibCephFS(rados_inst=handle)
    asker.init()
    name = cluster.active_mds().removeprefix("mds.")

    def ask(prefix: str, **arguments: Any) -> Any:
        code, output, text = asker.mds_command(
            name, json.dumps({"prefix": prefix, "format": "json", **arguments}), b""
        )
        assert code == 0, text
        return json.loads(output or b"null")

    try:
        yield ask
    finally:
        asker.shutdown()
        handle.shutdown()


def session_of(ask: Any, pids: Sequence[int]) -> int | None:
    """The id of the MDS session that one of these processes has."""
    wanted = {str(pid) for pid in pids}
    found = [
        session["id"]
        for session in ask("session ls")
        if session["client_metadata"].get("pid") in wanted
    ]
    return found[0] if found else None
