"""Take a web node out of service and bring it back, through HAProxy's admin socket."""

from __future__ import annotations

import csv
import re
import socket
import time
from collections.abc import Callable
from dataclasses import dataclass

from cephctl.errors import CephctlError
from cephctl.waiting import try_again, wait_for

SECONDS = 5.0
POLL_SECONDS = 0.25
DRAIN_SECONDS = 30.0
"""How long running requests of a node get to end before it is put into maintenance anyway."""
READY_SECONDS = 60.0


class HAProxyFailed(CephctlError):
    """HAProxy does not answer, or not as it should."""


@dataclass(frozen=True)
class Server:
    """A server of a backend. `status` is HAProxy's word: UP, DOWN, DRAIN, MAINT, NOLB, with a count
    when it is changing.
    """

    name: str
    status: str
    sessions: int
    check: str

    @property
    def is_up(self) -> bool:
        return self.status.startswith("UP") or self.status == "no check"


@dataclass(frozen=True)
class HAProxy:
    """HAProxy, by the place of its admin socket: a path, or HOST:PORT."""

    place: str
    backend: str | None

    def of(self, shard: str) -> str:
        return self.backend or shard

    def servers(self, shard: str) -> dict[str, Server]:
        """The servers of a shard's backend, by name."""
        rows = list(csv.DictReader(self.ask("show stat").lstrip("# ").splitlines()))
        if rows and not {"pxname", "svname", "status", "scur", "check_status"} <= set(rows[0]):
            raise HAProxyFailed(
                f"what answers at {self.place} is not HAProxy's admin socket",
                "see 'socket' in [haproxy]",
            )
        found = [
            row
            for row in rows
            if row["pxname"] == self.of(shard) and row["svname"] not in ("FRONTEND", "BACKEND")
        ]
        if not found:
            raise HAProxyFailed(
                f"HAProxy at {self.place} has no backend {self.of(shard)}",
                "set 'backend' in [haproxy]",
            )
        return {
            row["svname"]: Server(
                row["svname"], row["status"], int(row["scur"] or 0), row["check_status"]
            )
            for row in found
        }

    def server(self, shard: str, node: str) -> Server:
        servers = self.servers(shard)
        if node not in servers:
            raise HAProxyFailed(
                f"HAProxy's backend {self.of(shard)} has no server {node}",
                f"it has {', '.join(servers)}",
            )
        return servers[node]

    def drain(self, shard: str, node: str, wait: Callable[[float], None] = time.sleep) -> str:
        """No new requests; running ones get DRAIN_SECONDS to end, and are closed then. The result
        in a word.
        """

        def is_idle() -> bool:
            return not self.server(shard, node).sessions

        self.order(shard, node, "drain")
        if wait_for(is_idle, DRAIN_SECONDS, POLL_SECONDS, wait):
            return "drained"
        self.order(shard, node, "maint")
        return f"requests were still running after {DRAIN_SECONDS:.0f} s; put into maintenance"

    def undrain(self, shard: str, node: str, wait: Callable[[float], None] = time.sleep) -> None:
        """Back into service, and reported UP by the health check."""
        self.order(shard, node, "ready")
        found = wait_for(
            lambda: self.server(shard, node),
            READY_SECONDS,
            POLL_SECONDS,
            wait,
            until=lambda server: server.is_up,
        )
        if not found.is_up:
            raise HAProxyFailed(
                f"HAProxy does not report {node} UP after {READY_SECONDS:.0f} s: "
                f"{found.status}, check {found.check}"
            )

    def order(self, shard: str, node: str, state: str) -> None:
        self.server(shard, node)
        answer = self.ask(f"set server {self.of(shard)}/{node} state {state}").strip()
        if answer:
            hint = "its stats socket needs 'level admin'" if "ermission" in answer else None
            raise HAProxyFailed(f"HAProxy at {self.place}: {answer}", hint)

    def ask(self, command: str) -> str:
        """One command, its answer to the end. A socket that is being reloaded is tried again."""
        try:
            return try_again(lambda: exchange(self.place, command), is_reload, SECONDS)
        except OSError as error:
            silent = isinstance(error, TimeoutError)
            reason = f"no answer within {SECONDS:g} s" if silent else error.strerror or str(error)
            raise HAProxyFailed(
                f"HAProxy's admin socket {self.place}: {reason}", "see 'socket' in [haproxy]"
            ) from None


def exchange(place: str, command: str) -> str:
    with connected(place) as channel:
        channel.settimeout(SECONDS)
        channel.sendall(command.encode() + b"\n")
        answer = b"".join(iter(lambda: channel.recv(65536), b""))
    # A change is answered with an empty line, or with nothing.
    if not answer and command.startswith("show"):
        raise ConnectionResetError(0, "closed without an answer")
    return answer.decode(errors="replace")


def is_reload(error: BaseException) -> bool:
    """The socket is away, or closes, for a moment while HAProxy is reloaded."""
    return isinstance(error, (FileNotFoundError, ConnectionError))


def connected(place: str) -> socket.socket:
    if match := re.fullmatch(r"\[?([^/\[\]]+)\]?:(\d+)", place):
        return socket.create_connection((match[1], int(match[2])), timeout=SECONDS)
    channel = socket.socket(socket.AF_UNIX)
    channel.settimeout(SECONDS)
    try:
        channel.connect(place)
    except OSError:
        channel.close()
        raise
    return channel
