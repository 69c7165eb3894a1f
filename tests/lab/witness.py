"""Who would notice a rotation: visitors of a site, a tenant's process that appends to a file on
each node, and who looks for keys.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.lab.faults.fault import PATH, Scene
from tests.lab.places import HERE, INSIDE, NODES, RUN, STORAGE

ACKNOWLEDGED = "/run/acknowledged"
APPEND = f"{PATH}/acme/logs/append"
# What is written is written down locally only when the file system has taken it.
WRITER = """
import os, time
name = os.uname().nodename
file = os.open("FILE-" + name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
note = os.open("NOTE", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
while True:
    line = ("%s %d %d end\\n" % (name, os.getpid(), time.monotonic_ns())).encode()
    assert os.write(file, line) == len(line)
    os.write(note, line)
    time.sleep(0.05)
"""
LINE = re.compile(r"[\w-]+ \d+ \d+ end")
# The argument vector of every program that a node starts, from the system call itself (offsets of
# x86-64's pt_regs).
PROBE = "p:cephctl/exec __x64_sys_execve " + " ".join(
    f"a{n}=+u0(+u{8 * n}(+104(%di))):ustring" for n in range(12)
)
TRACING = "/sys/kernel/tracing"


@dataclass
class Visitors:
    """A load that goes on until it is asked how it went."""

    process: subprocess.Popen[str]
    told: dict[str, Any] = field(default_factory=dict)

    def end(self) -> dict[str, Any]:
        if not self.told:
            self.process.terminate()
            output, _ = self.process.communicate(timeout=60)
            self.told = json.loads(output.splitlines()[-1])
        return self.told


@contextmanager
def visitors() -> Iterator[Visitors]:
    process = subprocess.Popen(
        [*INSIDE, sys.executable, str(HERE / "load.py"), STORAGE], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout
    assert process.stdout.readline() == "ready\n"
    found = Visitors(process)
    try:
        yield found
    finally:
        found.end()


@contextmanager
def writers(scene: Scene) -> Iterator[None]:
    """A tenant's service on each node that holds a file of the mount open and appends to it."""
    script = WRITER.replace("FILE", APPEND).replace("NOTE", ACKNOWLEDGED)
    for node in NODES:
        scene.on(
            (
                f"rm -f {ACKNOWLEDGED} {APPEND}-{node}; systemctl reset-failed writer "
                "2>/dev/null; true"
            ),
            node=node,
        )
        scene.on(
            (
                "systemd-run -q --unit writer -p Restart=always /usr/bin/python3 -c "
                f"{shlex.quote(script)}"
            ),
            node=node,
        )
    try:
        yield
    finally:
        for node in NODES:
            scene.on("systemctl stop writer", check=False, node=node)


def appended(scene: Scene, node: str) -> tuple[list[str], list[str]]:
    """The lines that the file system took on a node, and those that are in the file, with writing
    stopped.
    """
    scene.on("systemctl stop writer", node=node)
    reader = next(name for name in NODES if name != node)
    return lines_of(scene, node, ACKNOWLEDGED), lines_of(scene, reader, f"{APPEND}-{node}")


def lines_of(scene: Scene, node: str, path: str) -> list[str]:
    command = scene.lab.nodes[node].ssh_command(f"sudo cat {path}")
    return (
        subprocess.run(command, capture_output=True, timeout=120, check=True)
        .stdout.decode(errors="replace")
        .splitlines()
    )


@contextmanager
def traced(scene: Scene) -> Iterator[None]:
    """Every program that a node starts is noted with its arguments."""
    for node in NODES:
        scene.on(
            f"mountpoint -q {TRACING} || mount -t tracefs tracefs {TRACING}; cd {TRACING} "
            f"&& echo '{PROBE}' >kprobe_events && "
            "echo 4096 >buffer_size_kb && echo >trace && echo 1 >events/cephctl/exec/enable",
            node=node,
        )
    try:
        yield
    finally:
        for node in NODES:
            scene.on(f"cd {TRACING} && echo 0 >events/cephctl/exec/enable", check=False, node=node)


def executed(scene: Scene, node: str) -> str:
    return "\n".join(lines_of(scene, node, f"{TRACING}/trace"))


def spellings(key: str) -> set[str]:
    """A key in every form it could stand somewhere."""
    raw = base64.b64decode(key)[12:]
    return {key, key.rstrip("="), raw.hex(), base64.b64encode(raw).decode()}


def secret_of(key: str) -> bytes:
    """What makes a key a key: two texts of it can differ in the date of their header."""
    return base64.b64decode(key)[12:]


def keepers(scene: Scene, node: str, key: str) -> list[str]:
    """The files of a node that hold a key, wherever something could have been written. The key goes
    there on stdin: sudo logs commands.
    """
    folders = "/etc /run /var/log /var/lib /var/tmp /tmp /root /home"
    command = scene.lab.nodes[node].ssh_command(
        f"sudo grep -rlaF -f - --exclude-dir=credentials {folders} 2>/dev/null"
    )
    words = "\n".join(sorted(spellings(key)))
    return sorted(
        subprocess.run(
            command, input=words, capture_output=True, text=True, timeout=180, check=False
        ).stdout.split()
    )


def operator_files() -> Iterator[Path]:
    """What a rotation may have written on the operator's side; the cluster's own files are not."""
    yield from (file for file in (RUN / "runs").rglob("*") if file.is_file())
