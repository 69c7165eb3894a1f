"""Measure how fast many nodes are asked: python -m tests.bench_ssh. Prints ratios of one run; tests
nothing.

Sixty-four sshds on this machine, 32 asked at a time: by cephctl; by a bare paramiko loop that runs
next to nothing on the nodes, and by one that sends them cephctl's own program; by Ansible and
pyinfra, which are installed for it and run `stat`. Nodes and clients share the processors here, so
what runs on the nodes counts 64 times, and only ratios of one run mean anything.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cephctl.config import load
from cephctl.doctor.gather import PROBE_SECONDS
from cephctl.site import request, site_of
from cephctl.ssh.program import program
from tests.bench import install
from tests.command import PROJECT
from tests.lab.ceph import Cluster, free_ports
from tests.ssh.fleet import Fleet

NODES = 64
AT_ONCE = 32
ROUNDS = 7
PYTHON = "/usr/bin/python3"
BARE = PROJECT / "tests/ssh/bare.py"
ANSIBLE = """\
[defaults]
inventory = {folder}/hosts
forks = {at_once}
interpreter_python = {python}
[ssh_connection]
pipelining = true
ssh_args = -F {ssh_config} -o ControlMaster=no -o StrictHostKeyChecking=yes
"""
TARGETS = {
    "paramiko": "1.3",
    "same work": "none: what cephctl itself adds",
    "ansible": "0.5",
    "pyinfra": "1",
}


@dataclass
class Contestant:
    """A command that asks all nodes, the exit statuses that mean it did, and what it took each
    time.
    """

    name: str
    command: Sequence[str]
    variables: dict[str, str] = field(default_factory=dict)
    fine: tuple[int, ...] = (0,)
    seconds: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)

    def run(self) -> str:
        before, start = children(), time.perf_counter()
        done = subprocess.run(
            self.command,
            env=os.environ | self.variables,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        self.seconds.append(time.perf_counter() - start)
        self.processor.append(children() - before)
        if done.returncode not in self.fine:
            sys.exit(
                f"{self.name} failed ({done.returncode}): {(done.stderr or done.stdout)[-1000:]}"
            )
        return done.stdout

    def show(self) -> None:
        wall, own = statistics.median(self.seconds), statistics.median(self.processor)
        print(
            f"{self.name:10} median {wall:6.2f} s, best {min(self.seconds):6.2f} s, of "
            f"{len(self.seconds)}; client CPU {own:6.2f} s"
        )


def children() -> float:
    """Processor seconds of all that this process started and waited for: the clients, for the
    servers are not over yet.
    """
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def main() -> None:
    v2, v1 = free_ports(2)
    with tempfile.TemporaryDirectory(prefix="cephctl-bench-ssh-") as temporary:
        folder = Path(temporary)
        cluster = Cluster(folder / "ceph", ports=(v2, v1))
        fleet = Fleet(folder / "fleet", timeout=60)
        fleet.ceph = (
            f'conf = "{cluster.operator_conf}"\nkeyring = "{cluster.keyring("client.cephctl")}"'
        )
        try:
            cluster.up()
            fleet.add(NODES)
            compare([contestant for contestant in contestants(fleet, folder) if contestant])
        finally:
            fleet.stop()
            cluster.down()


def contestants(fleet: Fleet, folder: Path) -> list[Contestant | None]:
    tools = tools_in(folder / "venv")
    return [
        paramiko("paramiko", b"print('here')\n", fleet),
        paramiko(
            "same work",
            program(
                "facts.facts",
                request(site_of(load(str(fleet.folder / "cephctl.toml"), {}, {})), PROBE_SECONDS),
            ),
            fleet,
        ),
        cephctl(fleet, install(folder / "installed")),
        ansible(fleet, tools),
        pyinfra(fleet, tools),
    ]


def paramiko(name: str, work: bytes, fleet: Fleet) -> Contestant:
    file = fleet.folder / f"{name}.py"
    file.write_bytes(work)
    ports = [str(node.port) for node in fleet.nodes.values()]
    return Contestant(
        name, [PYTHON, str(BARE), str(file), str(fleet.key), str(fleet.known_hosts), *ports]
    )


def cephctl(fleet: Fleet, program: Path) -> Contestant:
    """What it finds is that nothing is mounted: 3."""
    command = [str(program), "node", "doctor", "--all", "-f", "json"]
    return Contestant(
        "cephctl", command, {"CEPHCTL_CONFIG": str(fleet.folder / "cephctl.toml")}, fine=(0, 3)
    )


def ansible(fleet: Fleet, tools: Path) -> Contestant | None:
    if not (tools / "ansible").exists():
        return None
    config = fleet.folder / "ansible.cfg"
    values = {
        "folder": fleet.folder,
        "at_once": AT_ONCE,
        "python": PYTHON,
        "ssh_config": fleet.ssh_config,
    }
    config.write_text(ANSIBLE.format(**values))
    (fleet.folder / "hosts").write_text("\n".join(fleet.nodes) + "\n")
    variables = {
        "ANSIBLE_CONFIG": str(config),
        "ANSIBLE_HOME": str(fleet.folder / "ansible"),
        "LC_ALL": "C.UTF-8",
    }
    command = [
        str(tools / "ansible"),
        "all",
        "-f",
        str(AT_ONCE),
        "-m",
        "command",
        "-a",
        "stat -f /",
    ]
    return Contestant("ansible", command, variables)


def pyinfra(fleet: Fleet, tools: Path) -> Contestant | None:
    if not (tools / "pyinfra").exists():
        return None
    common = {
        "ssh_hostname": "127.0.0.1",
        "ssh_user": "root",
        "ssh_key": str(fleet.key),
        "ssh_allow_agent": False,
    }
    common |= {
        "ssh_look_for_keys": False,
        "ssh_known_hosts_file": str(fleet.known_hosts),
        "ssh_strict_host_key_checking": "yes",
    }
    hosts = [(node.name, {**common, "ssh_port": node.port}) for node in fleet.nodes.values()]
    inventory = fleet.folder / "inventory.py"
    inventory.write_text(f"hosts = {hosts!r}\n")
    return Contestant(
        "pyinfra",
        [
            str(tools / "pyinfra"),
            "-y",
            "--parallel",
            str(AT_ONCE),
            str(inventory),
            "exec",
            "--",
            "stat",
            "-f",
            "/",
        ],
    )


def tools_in(folder: Path) -> Path:
    """A virtual environment with the tools to compare with; one that cannot be installed takes no
    part.
    """
    subprocess.run([PYTHON, "-m", "venv", str(folder)], check=True)
    for name, package in (("ansible", "ansible-core"), ("pyinfra", "pyinfra")):
        done = subprocess.run(
            [str(folder / "bin/pip"), "install", "-q", package],
            capture_output=True,
            text=True,
            check=False,
        )
        if done.returncode:
            reason = (done.stderr.strip().splitlines() or ["no reason given"])[-1]
            print(f"{name} takes no part: {package} cannot be installed: {reason}", flush=True)
    return folder / "bin"


def compare(those: Sequence[Contestant]) -> None:
    """All in turn, so that the machine's moods hit all of them; a first round counts for none."""
    for contestant in those:
        output = contestant.run()
        if contestant.name == "cephctl":
            check_answers(output)
        contestant.seconds.clear()
        contestant.processor.clear()
    for _ in range(ROUNDS):
        for contestant in those:
            contestant.run()
    print(f"{NODES} nodes, {AT_ONCE} at once, {os.cpu_count()} processors for them and the clients")
    for contestant in those:
        contestant.show()
    ratios({each.name: each.seconds for each in those})


def check_answers(output: str) -> None:
    """The figures are worth nothing if a node did not answer, or the cluster."""
    nodes = json.loads(output)["nodes"]
    codes = sorted({str(node["code"]) for node in nodes})
    failed = [
        code for code in codes if code.startswith(("NODE_", "CLUSTER_")) and code != "NODE_DIFFERS"
    ]
    if failed or len(nodes) != NODES:
        sys.exit(f"cephctl did not ask all: {' '.join(failed)}")
    print(f"cephctl finds on {len(nodes)} nodes: {' '.join(codes)}")


def ratios(seconds: dict[str, list[float]]) -> None:
    """Of medians, and the median of the rounds' own: both of one round had the same mood to fight
    with.
    """
    ours = seconds["cephctl"]
    for name, target in TARGETS.items():
        if name in seconds:
            medians = statistics.median(ours) / statistics.median(seconds[name])
            rounds = statistics.median(a / b for a, b in zip(ours, seconds[name], strict=True))
            print(
                f"cephctl/{name:10} of medians {medians:5.2f}, median of rounds "
                f"{rounds:5.2f}; target {target}"
            )


if __name__ == "__main__":
    main()
