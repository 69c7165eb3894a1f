"""A real Ceph cluster of one mon, one mgr, one OSD and two MDS: made, started, frozen and stopped."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cephctl.caps import operator_caps
from tests.lab.shell import LabError, find_process, is_alive, need, run, stop_pid, wait_until

DAEMONS = ("mon.a", "mgr.x", "osd.0", "mds.a", "mds.b")
PROGRAMS = {
    "ceph-mon": "ceph-mon",
    "ceph-mgr": "ceph-mgr",
    "ceph-osd": "ceph-osd",
    "ceph-mds": "ceph-mds",
    "ceph": "ceph-common",
    "ceph-authtool": "ceph-common",
    "monmaptool": "ceph-common",
}
ENTITIES: dict[str, Mapping[str, str]] = {
    "mon.": {"mon": "allow *"},
    "client.admin": {"mon": "allow *", "mgr": "allow *", "osd": "allow *", "mds": "allow *"},
    "mgr.x": {"mon": "allow profile mgr", "osd": "allow *", "mds": "allow *"},
    "osd.0": {"mon": "allow profile osd", "mgr": "allow profile osd", "osd": "allow *"},
    "mds.a": {
        "mon": "allow profile mds",
        "mgr": "allow profile mds",
        "osd": "allow rw tag cephfs *=*",
    },
    "mds.b": {
        "mon": "allow profile mds",
        "mgr": "allow profile mds",
        "osd": "allow rw tag cephfs *=*",
    },
    "client.web": {"mon": "allow r", "osd": "allow rw pool=cephfs_data", "mds": "allow rw"},
    "client.cephctl": operator_caps("client.web"),
}
CONF = """\
[global]
fsid = {fsid}
mon host = [v2:{address}:{v2},v1:{address}:{v1}]
public addr = {address}
auth cluster required = cephx
auth service required = cephx
auth client required = cephx
auth allow insecure global id reclaim = false
mon allow pool size one = true
osd pool default size = 1
osd pool default min size = 1
osd pool default pg autoscale mode = off
osd crush chooseleaf type = 0
osd objectstore = {objectstore}
memstore device bytes = 4294967296
bluestore block size = 4294967296
mon data avail warn = 1
mon data avail crit = 1
run dir = {home}/run
log file = {home}/log/$name.log
admin socket = {home}/run/$name.$pid.asok
keyring = {home}/$name.keyring
mon data = {home}/$name
mgr data = {home}/$name
osd data = {home}/$name
mds data = {home}/$name
crash dir = {home}/crash
"""
# In a mount namespace of its own, so that nothing is left mounted whatever happens: sh ROOT HOME COMMAND…
IN_ROOT = """
root=$1 home=$2 && shift 2 && mkdir -p "$root$home" &&
mount --rbind /dev "$root/dev" && mount --bind /proc "$root/proc" && mount --bind "$home" "$root$home" &&
exec chroot "$root" "$@"
"""
OPERATOR_CONF = """\
[global]
fsid = {fsid}
mon host = [v2:{address}:{v2},v1:{address}:{v1}]
"""


@dataclass
class Cluster:
    """One cluster in one folder.

    `enter` is the command that leads to the network it lives in; `root` a Debian root with another release's Ceph;
    `settings` are further lines for [global] of its ceph.conf.
    """

    home: Path
    address: str = "127.0.0.1"
    ports: tuple[int, int] = (3300, 6789)
    enter: list[str] = field(default_factory=list)
    root: Path | None = None
    objectstore: str = "memstore"
    settings: str = ""

    @property
    def conf(self) -> Path:
        return self.home / "ceph.conf"

    @property
    def operator_conf(self) -> Path:
        return self.home / "operator/ceph.conf"

    def keyring(self, entity: str) -> Path:
        folder = self.home / "operator" if entity.startswith("client.") else self.home
        return folder / f"{'ceph.' if entity.startswith('client.') else ''}{entity}.keyring"

    @property
    def fsid(self) -> str:
        return next(
            line.split()[-1]
            for line in self.conf.read_text().splitlines()
            if line.startswith("fsid")
        )

    # Making and ending it

    def up(self) -> None:
        """Make a new cluster and start it; ready when its file system is."""
        if self.root is None:
            need(PROGRAMS)
        self.down()
        shutil.rmtree(self.home, ignore_errors=True)
        for folder in (
            "run",
            "log",
            "crash",
            "operator",
            "mon.a",
            "mgr.x",
            "osd.0",
            "mds.a",
            "mds.b",
        ):
            (self.home / folder).mkdir(parents=True, exist_ok=True)
        self.write_conf()
        self.make_keyrings()
        self.make_mon()
        self.start("mon.a")
        self.make_osd()
        for daemon in DAEMONS[1:]:
            self.start(daemon)
        self.make_filesystem()
        wait_until("the cluster's file system and PGs", self.is_ready, 90)

    def write_conf(self) -> None:
        values = {
            "fsid": str(uuid.uuid4()),
            "address": self.address,
            "v2": self.ports[0],
            "v1": self.ports[1],
            "home": self.home,
            "objectstore": self.objectstore,
        }
        self.conf.write_text(CONF.format(**values) + self.settings)
        self.operator_conf.write_text(OPERATOR_CONF.format(**values))

    def make_keyrings(self) -> None:
        """One keyring per entity, and one of all of them that the mon imports with their caps."""
        everything = self.home / "all.keyring"
        for entity, caps in ENTITIES.items():
            options = [word for service, cap in caps.items() for word in ("--cap", service, cap)]
            file = self.keyring(entity)
            self.run("ceph-authtool", "--create-keyring", file, "--gen-key", "-n", entity, *options)
            self.run("ceph-authtool", *([] if everything.exists() else ["--create-keyring"]), everything, "--import-keyring", file)  # fmt: skip
        shutil.copy(self.keyring("mon."), self.home / "mon.a.keyring")

    def make_mon(self) -> None:
        address = f"[v2:{self.address}:{self.ports[0]},v1:{self.address}:{self.ports[1]}]"
        self.run(
            "monmaptool",
            "--create",
            "--fsid",
            self.fsid,
            "--addv",
            "a",
            address,
            self.home / "monmap",
        )
        keys = self.home / "all.keyring"
        self.run(
            "ceph-mon",
            "-c",
            self.conf,
            "--mkfs",
            "-i",
            "a",
            "--monmap",
            self.home / "monmap",
            "--keyring",
            keys,
        )
        keys.unlink()

    def make_osd(self) -> None:
        identity = str(uuid.uuid4())
        self.ceph("osd", "new", identity, "0")
        self.run("ceph-osd", "-c", self.conf, "-i", "0", "--mkfs", "--osd-uuid", identity)

    def make_filesystem(self) -> None:
        for pool in ("cephfs_metadata", "cephfs_data"):
            self.ceph("osd", "pool", "create", pool, "16")
        self.ceph("fs", "new", "cephfs", "cephfs_metadata", "cephfs_data")

    def down(self) -> None:
        """Stop every daemon; clients that hang on them are none of its business."""
        for daemon in reversed(DAEMONS):
            # With its OSD gone an MDS would wait for it: nothing here is kept, so no daemon is asked twice.
            stop_pid(self.pid(daemon), seconds=2)

    # Its daemons

    def start(self, daemon: str) -> None:
        """Start a daemon that is not running; it puts itself into the background."""
        kind, _, identity = daemon.partition(".")
        if self.pid(daemon) is None:
            self.run(f"ceph-{kind}", "-c", self.conf, "-i", identity, timeout=60)

    def pid(self, daemon: str) -> int | None:
        """The daemon's process. Not by its pid file: an MDS that respawns itself removes it."""
        kind, _, identity = daemon.partition(".")
        return find_process(f"ceph-{kind}", "-c", str(self.conf), "-i", identity)

    def send(self, daemon: str, number: signal.Signals) -> None:
        """Send a running daemon a signal; after SIGKILL it is waited for."""
        pid = self.pid(daemon)
        if pid is None:
            raise LabError(f"{daemon} is not running; daemons are {' '.join(DAEMONS)}")
        os.kill(pid, number)
        if number == signal.SIGKILL:
            wait_until(f"the end of {daemon}", lambda: not is_alive(pid), 10, every=0.02)

    # Questions

    def ceph(self, *command: str | Path, stdin: str | None = None) -> str:
        """Run the cluster's own `ceph` as client.admin."""
        admin = ("-c", self.operator_conf, "-n", "client.admin", "-k", self.keyring("client.admin"))
        return self.run(
            "ceph", *admin, "--connect-timeout", "20", *command, stdin=stdin, timeout=120
        )

    def json(self, *command: str) -> Any:
        return json.loads(self.ceph(*command, "--format", "json"))

    def is_ready(self) -> bool:
        """Every PG active+clean, one MDS active and the other standing by."""
        status = self.json("status")
        states = status["pgmap"].get("pgs_by_state", [])
        clean = bool(states) and all(state["state_name"] == "active+clean" for state in states)
        ranks = [rank["status"] for rank in status["fsmap"]["by_rank"]]
        return clean and ranks == ["up:active"] and status["fsmap"]["up:standby"] == 1

    def active_mds(self) -> str:
        [rank] = self.json("status")["fsmap"]["by_rank"]
        return f"mds.{rank['name']}"

    def run(self, *command: str | Path, stdin: str | None = None, timeout: float = 120) -> str:
        root = (
            ["unshare", "--mount", "sh", "-c", IN_ROOT, "sh", str(self.root), str(self.home)]
            if self.root
            else []
        )
        return run(*self.enter, *root, *command, stdin=stdin, timeout=timeout)


def free_ports(count: int) -> list[int]:
    """TCP ports of loopback that nobody has just now."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        return [each.getsockname()[1] for each in sockets]
    finally:
        for each in sockets:
            each.close()
