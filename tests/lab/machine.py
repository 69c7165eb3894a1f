"""A web node: a QEMU machine that was booted once and since then wakes up from its snapshot."""

from __future__ import annotations

import os
import socket
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.lab.image import PLATFORM_ON, NodeImage
from tests.lab.network import tap
from tests.lab.places import BRIDGE_MAC, IMAGES, INSIDE, NODES, RUN, SSH_KEY, recipe
from tests.lab.shell import LabError, locked, pid_of, run, stop_pid, wait_until

QEMU = "qemu-system-x86_64"
# A snapshot holds the machine's devices and its boot arguments: it is made anew when these change.
SNAPSHOT = "booted"
BOOT = "root=/dev/vda rw console=ttyS0 quiet net.ifnames=0 mitigations=off panic=-1"
# A new generation id at each wake makes the guest reseed its random numbers: without it every mount has the nonce of the last one,
# and one that was evicted is a blocklisted one from then on.
HARDWARE = (
    "-cpu",
    "max",
    "-m",
    "512",
    "-display",
    "none",
    "-no-reboot",
    "-device",
    "vmgenid,guid=auto",
)
SSH_OPTIONS = (
    "-F", "none", "-i", str(SSH_KEY), "-o", "StrictHostKeyChecking=yes", "-o", "ConnectTimeout=10", "-o", "LogLevel=ERROR",
    "-o", "BatchMode=yes", "-o", "ControlMaster=auto", "-o", "ControlPersist=60", "-o", "ServerAliveInterval=5",
)  # fmt: skip


@dataclass(frozen=True)
class Machine:
    """One node. Whatever happened since the snapshot is forgotten at the next `wake`."""

    name: str
    image: NodeImage

    @property
    def address(self) -> str:
        return NODES[self.name]

    @property
    def snapshot(self) -> Path:
        """The disk with the snapshot as it was taken. All labs share it; none runs on it."""
        return (
            IMAGES
            / f"{self.image.name}-booted-{recipe(BOOT, *HARDWARE, PLATFORM_ON, BRIDGE_MAC, accelerator())}"
            / f"{self.name}.qcow2"
        )

    @property
    def disk(self) -> Path:
        return RUN / f"{self.name}.qcow2"

    @property
    def pidfile(self) -> Path:
        return RUN / f"{self.name}.pid"

    @property
    def pid(self) -> int | None:
        return pid_of(self.pidfile, QEMU)

    def up(self) -> None:
        """Booted, ssh answering, the ceph module loaded, nothing mounted."""
        self.snapshot.parent.mkdir(parents=True, exist_ok=True)
        with locked(self.snapshot.with_suffix(".lock")):
            if not self.snapshot.exists():
                self.boot()
        self.wake()

    def wake(self) -> None:
        """Back to the snapshot, from any state; a new QEMU needs no longer for that than a running one."""
        self.stop()
        run("cp", "--reflink=auto", "--sparse=always", self.snapshot, self.disk)
        self.launch("-loadvm", SNAPSHOT)

    def boot(self) -> None:
        """The first start: a real boot, then the snapshot that all later starts wake from."""
        self.stop()
        part = self.snapshot.with_suffix(".part")
        part.unlink(missing_ok=True)
        run("qemu-img", "create", "-q", "-f", "qcow2", "-b", self.image.disk, "-F", "raw", part)
        self.launch(disk=part)
        wait_until(
            f"ssh of {self.name} (its console is {RUN}/{self.name}.console)",
            self.answers,
            240,
            every=1,
        )
        self.ssh("sudo systemctl is-system-running --wait", check=False)
        self.ssh(f"sudo sh -c 'modprobe ceph && {PLATFORM_ON}'")
        self.monitor(f"savevm {SNAPSHOT}", timeout=60)
        self.stop()
        part.rename(self.snapshot)

    def launch(self, *more: str, disk: Path | None = None) -> None:
        self.monitor_socket.unlink(missing_ok=True)
        arguments = f"{BOOT} node.name={self.name} node.address={self.address}"
        mac = f"52:54:00:0a:0a:{int(self.address.rpartition('.')[2]):02x}"
        run(
            *INSIDE, QEMU, "-name", self.name, "-accel", accelerator(), *HARDWARE,
            "-serial", f"file:{RUN}/{self.name}.console", "-daemonize", "-pidfile", self.pidfile,
            "-monitor", f"unix:{self.monitor_socket},server,nowait",
            "-kernel", self.image.kernel, "-initrd", self.image.initrd, "-append", arguments,
            "-drive", f"file={disk or self.disk},if=virtio,format=qcow2,cache=unsafe",
            "-netdev", f"tap,id=net,ifname={tap(self.name)},script=no,downscript=no",
            "-device", f"virtio-net-pci,netdev=net,mac={mac}", *more, timeout=60,
        )  # fmt: skip

    def stop(self) -> None:
        self.hang_up()
        stop_pid(self.pid)

    @property
    def control_socket(self) -> Path:
        """Of the one SSH connection that all commands share: a login costs an emulated machine two seconds."""
        return RUN / f"{self.name}.ssh"

    def hang_up(self) -> None:
        if self.control_socket.exists():
            subprocess.run(
                self.ssh_command("-O", "exit"), capture_output=True, check=False, timeout=30
            )
            self.control_socket.unlink(missing_ok=True)

    @property
    def monitor_socket(self) -> Path:
        return RUN / f"{self.name}.monitor"

    def monitor(self, command: str, timeout: float = 30) -> None:
        """One command to QEMU's monitor; returns when its prompt is back."""
        with socket.socket(socket.AF_UNIX) as channel:
            channel.settimeout(timeout)
            channel.connect(str(self.monitor_socket))
            read_to_prompt(channel)
            channel.sendall(command.encode() + b"\n")
            answer = read_to_prompt(channel)
        if b"Error" in answer:
            raise LabError(f"{self.name}: '{command}': {answer.decode(errors='replace').strip()}")

    def answers(self) -> bool:
        return self.ssh("true", check=False) == 0

    def ssh(self, command: str, stdin: bytes = b"", check: bool = True) -> int:
        """Run a shell command as the operator's login; what it prints is dropped unless it fails."""
        done = subprocess.run(
            self.ssh_command(command), input=stdin, capture_output=True, check=False, timeout=180
        )
        if check and done.returncode:
            raise LabError(
                f"{self.name}: {command[:60]}: {done.stderr.decode(errors='replace').strip()}"
            )
        return done.returncode

    def ssh_command(self, *command: str) -> list[str]:
        files = (
            "-o",
            f"UserKnownHostsFile={self.image.known_hosts}",
            "-o",
            f"ControlPath={self.control_socket}",
        )
        return [*INSIDE, "ssh", *SSH_OPTIONS, *files, f"ubuntu@{self.address}", *command]


def read_to_prompt(channel: socket.socket) -> bytes:
    answer = b""
    while not answer.endswith(b"(qemu) "):
        chunk = channel.recv(65536)
        if not chunk:
            break
        answer += chunk
    return answer


def accelerator() -> str:
    """Emulation unless asked for KVM: a /dev/kvm that opens may still boot no guest."""
    return os.environ.get("CEPHCTL_LAB_ACCEL", "tcg,thread=multi")
