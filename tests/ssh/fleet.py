"""Web nodes that are nothing but an sshd each: real OpenSSH on loopback, as many as a test wants,
each as broken as it wants.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

from tests.command import Cephctl
from tests.lab.ceph import free_ports
from tests.lab.shell import LabError, need, run, wait_until

SSHD = "/usr/sbin/sshd"
MARK = "CEPHCTL_FLEET"
"""An environment variable of all that a fleet's servers start, by which it is found again."""
SECONDS = 10
TRIES = 3
CONFIG = """\
ListenAddress 127.0.0.1
Port {port}
HostKey {host_key}
PidFile {folder}/pid
AuthorizedKeysFile {authorized}
AuthenticationMethods publickey
PermitRootLogin yes
StrictModes no
UsePAM no
UseDNS no
PrintMotd no
LogLevel VERBOSE
# Many log in at once, and by default an sshd refuses some of more than ten.
MaxStartups 1000
# A home of its own, so that no login script of this machine has a say.
SetEnv HOME={fleet} {mark}={fleet}
"""
CLIENT = """\
Host {name}
  HostName 127.0.0.1
  Port {port}
{more}
"""
EVERYWHERE = """\
Host *
  User root
  IdentityFile {key}
  IdentitiesOnly yes
  UserKnownHostsFile {known_hosts}
  GlobalKnownHostsFile none
  LogLevel ERROR
"""
# The key is made up, and so is the cluster.
KEYRING = "[client.cephctl]\n\tkey = AQBAAAAAAAAAABAAAAAAAAAAAAAAAAAAAAAAAA==\n"


@dataclass
class Node:
    """One node. `settings` are lines of its sshd's configuration, `client` of its block in the
    operator's.
    """

    name: str
    folder: Path
    host_key: Path
    authorized: Path
    settings: str = ""
    client: str = ""
    port: int = 0
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        return self.folder / "log"

    @property
    def known_name(self) -> str:
        return f"[127.0.0.1]:{self.port}"

    def start(self) -> None:
        """Start its sshd, on the port that it had before, if it had one."""
        if not self.port:
            self.port = free_ports(1)[0]
        values = {
            "port": self.port,
            "folder": self.folder,
            "fleet": self.folder.parent,
            "mark": MARK,
        }
        values |= {"host_key": self.host_key, "authorized": self.authorized}
        config = self.folder / "sshd_config"
        # The first value that sshd reads is the one that counts.
        config.write_text(f"{self.settings}\n{CONFIG.format(**values)}")
        self.process = subprocess.Popen(
            [SSHD, "-D", "-f", str(config), "-E", str(self.log)], stdin=subprocess.DEVNULL
        )

    def ready(self) -> None:
        """Wait until it says hello. A port that somebody else took in the meantime is exchanged for
        another.
        """
        for _ in range(TRIES):
            try:
                wait_until(
                    f"sshd of {self.name}",
                    lambda: self.is_ended() or greets(self.port),
                    SECONDS,
                    every=0.01,
                )
            finally:
                ended = self.is_ended()
            if not ended:
                return
            self.port = 0
            self.start()
        raise LabError(f"sshd of {self.name} does not start: {self.log.read_text()[-500:]}")

    def is_ended(self) -> bool:
        return self.process is None or self.process.poll() is not None

    def stop(self) -> None:
        """End the server and the connections that it serves."""
        if self.process:
            for pid in [self.process.pid, *descendants(self.process.pid)]:
                kill(pid)
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        assert self.process
        self.process.send_signal(signal.SIGSTOP)

    def connections(self) -> int:
        """How many came so far, the fleet's own looks whether it is there among them."""
        return self.log.read_text().count("Connection from ")

    def logins(self) -> int:
        return self.log.read_text().count("Accepted publickey ")

    def sessions(self) -> int:
        """How many commands were run on it so far."""
        return self.log.read_text().count("Starting session: ")


@dataclass
class Fleet:
    """Nodes in one folder, and the operator's files for them: key, known_hosts, ssh_config,
    cephctl.toml.
    """

    folder: Path
    timeout: float = 20
    nodes: dict[str, Node] = field(default_factory=dict)
    ceph: str = ""

    def __post_init__(self) -> None:
        need({"sshd": "openssh-server", "ssh-keygen": "openssh-client"})
        # sshd does not start without it; at boot its service makes it.
        Path("/run/sshd").mkdir(mode=0o755, exist_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)
        self.key, self.host_key = self.new_key("id_ed25519"), self.new_key("host_key")
        self.authorized = self.key.with_suffix(".pub")
        ceph_conf, keyring = self.folder / "ceph.conf", self.folder / "keyring"
        ceph_conf.write_text(f"[global]\nmon host = 127.0.0.1:{free_ports(1)[0]}\n")
        keyring.write_text(KEYRING)
        self.ceph = self.ceph or f'conf = "{ceph_conf}"\nkeyring = "{keyring}"\ntimeout = 1'

    @property
    def known_hosts(self) -> Path:
        return self.folder / "known_hosts"

    @property
    def ssh_config(self) -> Path:
        return self.folder / "ssh_config"

    @property
    def cephctl(self) -> Cephctl:
        """The program as the fleet's operator runs it."""
        return Cephctl({"CEPHCTL_CONFIG": str(self.folder / "cephctl.toml")})

    def new_key(self, name: str, kind: str = "ed25519", passphrase: str = "") -> Path:
        run("ssh-keygen", "-q", "-t", kind, "-N", passphrase, "-C", name, "-f", self.folder / name)
        return self.folder / name

    # Nodes

    def add(
        self, count: int = 1, settings: str = "", client: str = "", host_key: Path | None = None
    ) -> list[Node]:
        """Nodes that work, unless these lines of configuration say otherwise."""
        nodes = []
        for _ in range(count):
            name = f"node{len(self.nodes):03}"
            (self.folder / name).mkdir()
            node = Node(
                name,
                self.folder / name,
                host_key or self.host_key,
                self.authorized,
                settings,
                client,
            )
            self.nodes[name] = node
            node.start()
            nodes.append(node)
        for node in nodes:
            node.ready()
        self.write()
        return nodes

    def add_script(self, script: str) -> Node:
        """A node on which this shell script runs in place of every command; "$SSH_ORIGINAL_COMMAND"
        is the one that was asked for.
        """
        path = self.folder / f"script{len(self.nodes):03}"
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
        return self.add(settings=f"ForceCommand {path}")[0]

    def add_port(self, port: int) -> Node:
        """A node without an sshd: whoever has the port is what it answers with."""
        name = f"node{len(self.nodes):03}"
        self.nodes[name] = Node(name, self.folder / name, self.host_key, self.authorized, port=port)
        self.write()
        return self.nodes[name]

    # The operator's files

    def write(self) -> None:
        """Write all of them for the nodes there are now."""
        self.write_ssh_config()
        self.known_hosts.write_text("".join(self.known_line(node) for node in self.nodes.values()))
        nodes = "".join(
            f'[nodes.{name}]\naddress = "127.0.0.1"\nshard = "web"\n' for name in self.nodes
        )
        site = (
            f'[mount]\npath = "{self.folder}/mount"\n[ssh]\nconfig = '
            f'"{self.ssh_config}"\ntimeout = {self.timeout}\n'
        )
        (self.folder / "cephctl.toml").write_text(f"[ceph]\n{self.ceph}\n{site}{nodes}")

    def write_ssh_config(self) -> None:
        blocks = [
            CLIENT.format(name=node.name, port=node.port, more=node.client)
            for node in self.nodes.values()
        ]
        everywhere = EVERYWHERE.format(key=self.key, known_hosts=self.known_hosts)
        self.ssh_config.write_text("".join([*blocks, everywhere]))

    def known_line(self, node: Node, name: str = "", key: Path | None = None) -> str:
        """A line of known_hosts for a node."""
        kind, text = (key or node.host_key).with_suffix(".pub").read_text().split()[:2]
        return f"{name or node.known_name} {kind} {text}\n"

    # Its end

    def stop(self) -> None:
        """End every server, and whatever was started through one."""
        for node in self.nodes.values():
            node.stop()
        for pid in self.commands():
            kill(pid)
        wait_until(
            "the end of what ran on the nodes", lambda: not self.commands(), SECONDS, every=0.02
        )

    def commands(self) -> list[int]:
        """The processes that run on the nodes."""
        wanted = f"{MARK}={self.folder}".encode()
        return [pid for pid in processes() if wanted in read(f"/proc/{pid}/environ").split(b"\0")]


def greets(port: int) -> bool:
    """Whether an SSH server says hello there."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=SECONDS) as sock:
            return sock.recv(4) == b"SSH-"
    except OSError:
        return False


def processes() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""


def descendants(pid: int) -> list[int]:
    """The processes that a process has started, and those that these have."""
    parents = {each: parent(each) for each in processes()}
    found: list[int] = []
    left = [pid]
    while left:
        children = [each for each, its in parents.items() if its == left[0]]
        found += children
        left = [*left[1:], *children]
    return found


def parent(pid: int) -> int:
    fields = read(f"/proc/{pid}/stat").rpartition(b")")[2].split()
    return int(fields[1]) if fields else 0


def kill(pid: int) -> None:
    try:
        os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return
