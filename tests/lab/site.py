"""What the platform puts on a web node: Ceph's files, the mount unit, the tenants' sites; and HAProxy in front."""

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
from tests.lab.places import HAPROXY_SOCKET, HERE, INSIDE, MOUNTPOINT, NODES, RUN, STORAGE, TENANTS
from tests.lab.shell import pid_of, run, stop_pid, wait_until

SECRET = "/etc/ceph/ceph.client.web.secret"
# The kernel's own verdict on a mount takes 60 s: a shorter TimeoutSec would kill mount.ceph before it.
MOUNT_UNIT = f"""\
[Unit]
Description=CephFS Web Storage
After=network-online.target
Wants=network-online.target

[Mount]
What={STORAGE}:/
Where={MOUNTPOINT}
Type=ceph
Options=name=web,secretfile={SECRET},noatime,_netdev
TimeoutSec=90

[Install]
WantedBy=multi-user.target
"""
NGINX_SITE = f"""\
server {{
    listen 80;
    server_name ~^(?<webroot>[a-z0-9-]+)\\.{{tenant}}\\.test$;
    root {MOUNTPOINT}/{{tenant}}/webroots/$webroot/public;
    access_log {MOUNTPOINT}/{{tenant}}/logs/access.log;
    error_log {MOUNTPOINT}/{{tenant}}/logs/error.log;
}}
"""
WANTED = ("var-www-storage.mount", "nginx.service", "node-agent.service")
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
    default-server check inter 1s fall 3 rise 2 init-addr none
"""


def deploy(machine: Machine, cluster: Cluster) -> None:
    """Bring a freshly woken node to healthy and mounted, in one SSH round trip; secrets travel on stdin."""
    steps = (
        f"date -s @{time.time():.0f}",
        "tar -x -C /",
        "systemctl daemon-reload",
        f"systemctl start {' '.join(WANTED)}",
    )
    machine.ssh(f"sudo sh -c '{' && '.join(steps)}' >/dev/null", stdin=files(cluster))


def files(cluster: Cluster) -> bytes:
    """A tar of all that differs from the image."""
    keyring = cluster.keyring("client.web").read_text()
    secret = next(line.split()[-1] for line in keyring.splitlines() if line.strip().startswith("key"))
    content = {
        "/etc/ceph/ceph.conf": (0o644, cluster.operator_conf.read_text()),
        "/etc/ceph/ceph.client.web.keyring": (0o600, f"[client.web]\n\tkey = {secret}\n"),
        SECRET: (0o600, secret + "\n"),
        "/etc/systemd/system/var-www-storage.mount": (0o644, MOUNT_UNIT),
    }
    for tenant in TENANTS:
        content[f"/etc/nginx/sites-enabled/{tenant}.conf"] = (0o644, NGINX_SITE.replace("{tenant}", tenant))
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for path, (mode, text) in content.items():
            entry = tarfile.TarInfo(path[1:])
            entry.mode, entry.size, entry.mtime = mode, len(text), int(time.time())
            archive.addfile(entry, io.BytesIO(text.encode()))
        for unit in WANTED:
            entry = tarfile.TarInfo(f"etc/systemd/system/multi-user.target.wants/{unit}")
            folder = "/etc/systemd/system" if unit != "nginx.service" else "/lib/systemd/system"
            entry.type, entry.linkname = tarfile.SYMTYPE, f"{folder}/{unit}"
            archive.addfile(entry)
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


def wait_for_haproxy() -> None:
    wait_until("all web nodes up in HAProxy", lambda: set(haproxy_states().values()) == {"UP"}, 60)


def haproxy_states() -> dict[str, str]:
    """What HAProxy thinks of each node, from its admin socket."""
    with socket.socket(socket.AF_UNIX) as channel:
        channel.settimeout(5)
        channel.connect(str(HAPROXY_SOCKET))
        channel.sendall(b"show stat\n")
        rows = b"".join(iter(lambda: channel.recv(65536), b"")).decode().splitlines()
    header = rows[0].lstrip("# ").split(",")
    stats = [dict(zip(header, row.split(","), strict=False)) for row in rows[1:] if row]
    return {row["svname"]: row["status"] for row in stats if row["svname"] in NODES}


def haproxy_pid() -> int | None:
    return pid_of(RUN / "haproxy.pid", "haproxy")


def stop_haproxy() -> None:
    stop_pid(haproxy_pid())


def write_config(cluster: Cluster) -> None:
    """The operator's cephctl.toml."""
    quote = json.dumps
    lines = [
        "[ceph]",
        f"conf = {quote(str(cluster.operator_conf))}",
        'name = "client.cephctl"',
        f"keyring = {quote(str(cluster.keyring('client.cephctl')))}",
    ]
    for node, address in NODES.items():
        lines += ["", f"[nodes.{node}]", f"address = {quote(address)}", 'shard = "web-1"']
    Path(places.CONFIG).write_text("\n".join(lines) + "\n")
