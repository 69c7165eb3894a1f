"""What makes a site of a cluster and machines: Ceph's files on the nodes, tenants' directories,
HAProxy in front.
"""

from __future__ import annotations

import io
import json
import socket
import tarfile
import time
from pathlib import Path

from tests.lab import places
from tests.lab.ceph import Cluster
from tests.lab.machine import Machine
from tests.lab.places import HAPROXY_SOCKET, HERE, INSIDE, NODES, RUN, SSH_CONFIG, STORAGE, TENANTS
from tests.lab.shell import LabError, pid_of, run, stop_pid, wait_until

SECRET = "/etc/ceph/ceph.client.web.secret"
UNITS = ("var-www-storage.mount", "nginx", "node-agent")
SSH_CONF = """\
Host web-*
    User ubuntu
    IdentityFile {key}
    IdentitiesOnly yes
    UserKnownHostsFile {known_hosts}
    LogLevel ERROR
"""
HAPROXY_CONF = """\
global
    stats socket {socket} level admin
    pidfile {run}/haproxy.pid
defaults
    mode http
    timeout connect 5s
    timeout client 30s
    timeout server 30s
frontend web
    bind {storage}:80
    default_backend web-1
backend web-1
    balance roundrobin
    option httpchk GET /healthz
    default-server check inter 500ms fall 6 rise 2 init-addr none
"""


def deploy(machine: Machine, cluster: Cluster) -> None:
    """Bring a freshly woken node to healthy and mounted, in one SSH round trip; secrets travel on
    stdin.
    """
    # The snapshot's clock stands where it was taken, and cephx refuses a wrong one.
    steps = (
        f"date -s @{time.time():.0f}",
        "tar -x -C /etc/ceph",
        f"systemctl start {' '.join(UNITS)}",
    )
    machine.ssh(f"sudo sh -c '{' && '.join(steps)}' >/dev/null", stdin=files(cluster))


def files(cluster: Cluster) -> bytes:
    """A tar of what a node needs of this one cluster: its address, and the key of client.web in
    both forms.
    """
    keyring = cluster.keyring("client.web").read_text()
    secret = next(
        line.split()[-1] for line in keyring.splitlines() if line.strip().startswith("key")
    )
    content = {
        "ceph.conf": (0o644, cluster.operator_conf.read_text()),
        "ceph.client.web.keyring": (0o600, f"[client.web]\n\tkey = {secret}\n"),
        "ceph.client.web.secret": (0o600, secret + "\n"),
    }
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for name, (mode, text) in content.items():
            entry = tarfile.TarInfo(name)
            entry.mode, entry.size, entry.mtime = mode, len(text), int(time.time())
            archive.addfile(entry, io.BytesIO(text.encode()))
    return buffer.getvalue()


def make_tenants(cluster: Cluster, enter: list[str]) -> None:
    """The tenants' directories, as the platform makes them, through libcephfs."""
    admin = (cluster.operator_conf, cluster.keyring("client.admin"))
    run(*enter, "/usr/bin/python3", HERE / "tenants.py", *admin, *TENANTS, timeout=60)


def start_haproxy() -> None:
    conf = RUN / "haproxy.cfg"
    servers = [f"    server {name} {address}:80" for name, address in NODES.items()]
    text = HAPROXY_CONF.format(socket=HAPROXY_SOCKET, run=RUN, storage=STORAGE)
    conf.write_text(text + "\n".join(servers) + "\n")
    if haproxy_pid() is None:
        run(*INSIDE, "haproxy", "-D", "-f", conf)


def wait_for_haproxy(seconds: float = 60) -> None:
    wait_until(
        "all web nodes up in HAProxy", lambda: set(haproxy_states().values()) == {"UP"}, seconds
    )


def are_up(seconds: float) -> bool:
    """Whether HAProxy finds all web nodes up within that time."""
    try:
        wait_for_haproxy(seconds)
    except LabError:
        return False
    return True


def put_in_service(node: str) -> None:
    """HAProxy's part of a reset: whoever drained a node and died left it so."""
    tell_haproxy(f"set server web-1/{node} state ready")


def tell_haproxy(command: str) -> str:
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(5)
        channel.connect(str(HAPROXY_SOCKET))
        channel.sendall(command.encode() + b"\n")
        return b"".join(iter(lambda: channel.recv(65536), b"")).decode()


def haproxy_states() -> dict[str, str]:
    """What HAProxy thinks of each node, from its admin socket."""
    rows = tell_haproxy("show stat").splitlines()
    header = rows[0].lstrip("# ").split(",")
    stats = [dict(zip(header, row.split(","), strict=False)) for row in rows[1:] if row]
    return {row["svname"]: row["status"] for row in stats if row["svname"] in NODES}


def haproxy_pid() -> int | None:
    return pid_of(RUN / "haproxy.pid", "haproxy")


def stop_haproxy() -> None:
    stop_pid(haproxy_pid())


def write_config(cluster: Cluster, known_hosts: Path) -> None:
    """The operator's cephctl.toml and ssh configuration."""
    quote = json.dumps
    lines = [
        "[ceph]",
        f"conf = {quote(str(cluster.operator_conf))}",
        'name = "client.cephctl"',
        f"keyring = {quote(str(cluster.keyring('client.cephctl')))}",
        "",
        "[haproxy]",
        f"socket = {quote(str(HAPROXY_SOCKET))}",
        "",
        "[runs]",
        f"directory = {quote(str(RUN / 'runs'))}",
        "",
        "[ssh]",
        f"config = {quote(str(SSH_CONFIG))}",
    ]
    for node, address in NODES.items():
        lines += ["", f"[nodes.{node}]", f"address = {quote(address)}", 'shard = "web-1"']
    Path(places.CONFIG).write_text("\n".join(lines) + "\n")
    SSH_CONFIG.write_text(SSH_CONF.format(key=places.SSH_KEY, known_hosts=known_hosts))
    for name, address in NODES.items():
        with SSH_CONFIG.open("a") as file:
            file.write(f"Host {name}\n    HostName {address}\n")
