"""What a fault is, and the scene it is played on."""

from __future__ import annotations

import importlib
import os
import pty
import select
import shlex
import signal
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.command import PROGRAM
from tests.lab import network, platform
from tests.lab.ceph import DAEMONS
from tests.lab.conftest import Lab
from tests.lab.machine import Machine
from tests.lab.places import CONFIG, HERE, INSIDE, NODES
from tests.lab.shell import LabError, wait_until

NODE = "web-1-node-1"
ADDRESS = NODES[NODE]
PATH = "/var/www/storage"
UNIT = "/etc/systemd/system/var-www-storage.mount"
SECRET = "/etc/ceph/ceph.client.web.secret"
KEYRING = "/etc/ceph/ceph.client.web.keyring"
CONF = "/etc/ceph/ceph.conf"
SETTLED_SECONDS = 60
REMEDY_SECONDS = 240
NOT_FAULTS = ("__init__", "fault", "keys", "firewall")


@dataclass
class Scene:
    """The lab, and one node of it on which things go wrong."""

    lab: Lab

    def on(self, command: str, check: bool = True, node: str = NODE) -> int:
        """Run a shell command as root on a node."""
        return self.lab.nodes[node].ssh(f"sudo sh -c {shlex.quote(command)}", check=check)

    def ceph(self, *words: str, stdin: str | None = None) -> str:
        return self.lab.cluster.ceph(*words, stdin=stdin)

    def freeze(self, *daemons: str) -> None:
        for daemon in daemons:
            self.lab.cluster.send(daemon, signal.SIGSTOP)

    def kill(self, *daemons: str) -> None:
        for daemon in daemons:
            self.lab.cluster.send(daemon, signal.SIGKILL)

    def restart_both_mds(self) -> None:
        self.revive("mds.a", "mds.b")
        wait_until("the file system", self.lab.cluster.is_ready, 90, every=1)

    def revive(self, *daemons: str) -> None:
        """Thaw what is frozen, start what is dead."""
        for daemon in daemons:
            if self.lab.cluster.pid(daemon):
                self.lab.cluster.send(daemon, signal.SIGCONT)
            self.lab.cluster.start(daemon)

    def unmount(self) -> None:
        self.on("systemctl stop nginx node-agent var-www-storage.mount")

    def try_mount(self) -> None:
        """An attempt as the platform makes it; that it fails is the point."""
        self.on("systemctl start var-www-storage.mount", check=False)

    def unmounted_with(self, damage: str) -> None:
        """Damage done while nothing is mounted, and an attempt to mount with it."""
        self.unmount()
        self.on(damage)
        self.try_mount()

    def edit_unit(self, *edits: str) -> str:
        """The command that edits the mount unit with sed."""
        return (
            f"sed -i {' '.join(f'-e {shlex.quote(edit)}' for edit in edits)} {UNIT} && "
            "systemctl daemon-reload"
        )

    def evict(self, node: str) -> None:
        done = self.lab.cephctl("mds", "evict", node, "--yes")
        assert done.status == 0, done.stderr

    def caps(self, **caps: str) -> None:
        """The caps of client.web, and no others."""
        self.ceph("auth", "caps", "client.web", *(word for pair in caps.items() for word in pair))

    def doctor(self, *words: str) -> Any:
        return self.lab.cephctl("node", "doctor", *words, "-f", "json", "--timeout", "6")

    def remedy(self, command: str) -> None:
        """Run a remedy as it was printed, in a terminal, and say yes to what it asks."""
        controller, terminal = pty.openpty()
        os.write(controller, b"y\n" * 6)
        environment = os.environ | {
            "CEPHCTL_CONFIG": str(CONFIG),
            "CEPH_ARGS": " ".join(self.admin),
            "PATH": f"{HERE / 'storage-host'}:{PROGRAM.parent}:{os.environ['PATH']}",
        }
        process = subprocess.Popen(
            [*INSIDE, "bash", "-c", command],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environment,
            start_new_session=True,
        )
        os.close(terminal)
        said = read_all(controller)
        assert process.wait(timeout=10) == 0, f"{command}\n{said}"

    @property
    def admin(self) -> tuple[str, ...]:
        cluster = self.lab.cluster
        return (
            "--conf",
            str(cluster.operator_conf),
            "--name",
            "client.admin",
            "--keyring",
            str(cluster.keyring("client.admin")),
        )

    def set_clocks(self) -> None:
        """Emulated machines lose seconds under load, and no NTP server reaches them."""
        platform.each(set_clock, self.lab.nodes.values())

    def is_healthy(self, *nodes: str) -> bool:
        found = self.doctor(*nodes)
        return found.status == 0 and all(
            node["severity"] == "HEALTH_OK" for node in found.json["nodes"]
        )

    def wait_until_healthy(self, *nodes: str) -> None:
        try:
            wait_until("a healthy lab", lambda: self.is_healthy(*nodes), SETTLED_SECONDS, every=1)
        except LabError:
            raise AssertionError(self.lab.cephctl("node", "doctor").output) from None

    def keep_key(self) -> None:
        """A fault may have changed it."""
        platform.keep_key(self.lab.cluster)

    def restore(self) -> None:
        """The whole lab as it was, whatever happened to it."""
        cluster = self.lab.cluster
        self.revive(*DAEMONS)
        self.ceph("osd", "unset", "pause")
        self.ceph("fs", "set", "cephfs", "joinable", "true")
        self.ceph("osd", "pool", "set-quota", "cephfs_data", "max_bytes", "0")
        self.ceph("auth", "import", "-i", str(cluster.keyring("client.web")))
        self.caps(mon="allow r", osd="allow rw tag cephfs data=cephfs", mds="allow rw")
        wait_until("the file system", cluster.is_ready, 90)
        for node in NODES:
            network.heal(node)
        self.ceph("osd", "blocklist", "clear")
        platform.each(platform.reset, self.lab.nodes.values())


@dataclass(frozen=True)
class Fault:
    """How it is brought about, and what must be said of it.

    `code` is the primary cause of NODE (of every node, when it is `wide`), or a finding of the
    cluster alone when `cluster`. The remedy that is printed is run as it is, unless `heal` stands
    for what only hands can do.
    """

    code: str
    inject: Callable[[Scene], object]
    severity: str = "HEALTH_ERR"
    status: int = 3
    wide: bool = False
    cluster: bool = False
    heal: Callable[[Scene], object] | None = None
    after: Callable[[Scene], object] | None = None
    releases: tuple[str, ...] = ("bookworm",)


def set_clock(node: Machine) -> None:
    node.ssh(f"sudo date -s @{time.time():.0f}", check=False)


def read_all(descriptor: int) -> str:
    """What a terminal shows until nobody writes to it any more; of a command that never ends, what
    it said until then.
    """
    said = b""
    end = time.monotonic() + REMEDY_SECONDS
    try:
        while select.select([descriptor], [], [], max(0.0, end - time.monotonic()))[0] and (
            chunk := os.read(descriptor, 65536)
        ):
            said += chunk
    except OSError:
        pass
    os.close(descriptor)
    return said.decode(errors="replace")


def fault_named(name: str) -> Fault:
    found: Fault = importlib.import_module(f"tests.lab.faults.{name}").FAULT
    return found


def names() -> list[str]:
    """The faults there are: the files of this folder."""
    return sorted(
        file.stem for file in Path(__file__).parent.glob("*.py") if file.stem not in NOT_FAULTS
    )
