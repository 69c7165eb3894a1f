"""A connection to a node's sshd, whose host key is known, or the reason why there is none."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import logging
import os
import shlex
import socket
import time
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from cephctl.errors import CephctlError
from cephctl.remedy import Remedy, here
from cephctl.ssh.known_hosts import Line, known
from cephctl.ssh.proxy import Proxy
from cephctl.ssh.settings import Settings, ssh
from cephctl.waiting import try_again

if TYPE_CHECKING:
    import paramiko

CONNECT_SECONDS = 10.0
RETRY_SECONDS = 3.0
"""How long a connection is tried again that sshd closes before the login."""
# What a host may prove a key of these types with.
ALGORITHMS = {"ssh-rsa": ("rsa-sha2-512", "rsa-sha2-256", "ssh-rsa")}
NO_KEY = (
    "authentication methods",
    "encrypted",
    "private key",
    "not a valid",
    "Invalid key",
    "unpack requires",
)
CLOSED = ("No existing session", "Error reading SSH protocol banner")


class NodeFailed(CephctlError):
    """A node did not answer. `code` is the finding that says so, `remedy` the commands that fix it.

    `is_transient`: another try may succeed, for sshd closed the connection before the login
    (MaxStartups, a restart).
    """

    def __init__(
        self, code: str, node: str, problem: str, hint: str | None = None, remedy: Remedy = ()
    ) -> None:
        super().__init__(f"{node}: {problem}", hint)
        self.args = (code, node, problem, hint, remedy)
        self.remedy = remedy
        self.is_transient = False
        self.code = code
        self.node = node
        self.problem = problem


def load_paramiko() -> Any:
    """The library, without its warnings about unused ciphers."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import paramiko
    # What it logs is said by the errors.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    return paramiko


@contextlib.contextmanager
def connected(settings: Settings, end: float) -> Iterator[paramiko.SSHClient]:
    """A connection, logged in. NodeFailed says what kept it from that."""
    seconds = max(0.0, min(RETRY_SECONDS, end - time.monotonic() - 1))
    with try_again(lambda: opened(settings, end), is_transient, seconds) as connection:
        yield connection.client


def is_transient(error: BaseException) -> bool:
    return isinstance(error, NodeFailed) and error.is_transient


@dataclass(frozen=True)
class Connection:
    """A client that is logged in, and the proxy that it goes through."""

    client: paramiko.SSHClient
    proxy: Proxy | None

    def __enter__(self) -> Connection:
        return self

    def __exit__(self, *_: object) -> None:
        self.client.close()
        if self.proxy:
            self.proxy.close()


def opened(settings: Settings, end: float) -> Connection:
    """One try; nothing of it is left when it fails."""
    client = load_paramiko().SSHClient()
    lines = tuple(known(settings.known_hosts, settings.key_names))
    client.set_missing_host_key_policy(KnownHostsPolicy(settings, lines))
    connection = Connection(client, Proxy(settings.proxy) if settings.proxy else None)
    try:
        connect(client, settings, lines, connection.proxy, end)
    except BaseException:
        connection.__exit__()
        raise
    return connection


def connect(
    client: paramiko.SSHClient,
    settings: Settings,
    lines: tuple[Line, ...],
    proxy: Proxy | None,
    end: float,
) -> None:
    import paramiko

    begun = time.monotonic()
    seconds = max(0.5, min(CONNECT_SECONDS, end - begun))
    try:
        client.connect(
            settings.host,
            settings.port,
            settings.user,
            key_filename=list(settings.identities),  # type: ignore[arg-type]  # the stub knows one file only
            sock=proxy.socket if proxy else tcp(settings, seconds),
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=max(0.5, min(seconds, end - begun - 1)),
            look_for_keys=False,
            disabled_algorithms={"keys": unknown_types(lines)},
        )
    except NodeFailed:
        raise
    except (OSError, EOFError, paramiko.SSHException) as error:
        waited = time.monotonic() - begun
        raise failure(settings, error, waited, proxy.said() if proxy else "") from None


def tcp(settings: Settings, seconds: float) -> socket.socket:
    try:
        return socket.create_connection((settings.host, settings.port), timeout=seconds)
    except OSError as error:
        reason = (
            f"no answer within {seconds:.0f} s"
            if isinstance(error, TimeoutError)
            else (error.strerror or str(error)).lower()
        )
        raise NodeFailed(
            "NODE_UNREACHABLE", settings.node, f"cannot connect to {place(settings)}: {reason}"
        ) from None


def unknown_types(lines: tuple[Line, ...]) -> list[str]:
    """Key types that known_hosts has nothing of for this host: it is to prove one that can be
    compared.
    """
    import paramiko

    wanted = {
        name
        for line in lines
        if not line.revoked
        for name in ALGORITHMS.get(line.kind, (line.kind,))
    }
    every = paramiko.Transport._preferred_keys  # type: ignore[attr-defined]
    return [name for name in every if name not in wanted] if wanted & set(every) else []


def failure(settings: Settings, error: Exception, waited: float, said: str) -> NodeFailed:
    """Paramiko's errors, which name no host, by what an operator can do about them."""
    import paramiko

    node, text = settings.node, str(error) or type(error).__name__
    if said:
        return NodeFailed(
            "NODE_UNREACHABLE",
            node,
            f"the proxy to {place(settings)} failed: {said}",
            settings.proxy,
        )
    if (
        isinstance(error, TimeoutError)
        or "imeout" in text
        or (text.startswith(CLOSED) and waited > 1)
    ):
        return NodeFailed(
            "NODE_SILENT",
            node,
            (
                f"sshd at {place(settings)} accepted the connection and said nothing more for "
                f"{waited:.0f} s"
            ),
        )
    if "no acceptable host key" in text:
        return NodeFailed(
            "NODE_HOST_KEY_CHANGED",
            node,
            f"{place(settings)} has no host key of a type that known_hosts has for it",
            changed_hint(settings),
            forget_key(settings),
        )
    if isinstance(error, (paramiko.AuthenticationException, PermissionError)) or any(
        word in text for word in NO_KEY
    ):
        return refused(settings, error)
    how = (
        "closed the connection"
        if isinstance(error, EOFError) or text.startswith(CLOSED)
        else f"failed: {text}"
    )
    failed = NodeFailed("NODE_UNREACHABLE", node, f"SSH to {place(settings)} {how}")
    failed.is_transient = how == "closed the connection"
    return failed


def refused(settings: Settings, error: Exception) -> NodeFailed:
    import paramiko

    keys = ", ".join(settings.identities) or "none; the agent's were tried"
    problem = f"sshd refused the login of {settings.user} (key files: {keys})"
    if isinstance(error, (paramiko.PasswordRequiredException, PermissionError)) or not isinstance(
        error, paramiko.AuthenticationException
    ):
        problem = (
            f"no usable key for {settings.user}: {keys} cannot be read, or is encrypted and "
            "not in the agent"
        )
    login = here(*ssh(settings.config), settings.node, changes=False)
    return NodeFailed("NODE_LOGIN_REFUSED", settings.node, problem, settings.command(), (login,))


def place(settings: Settings) -> str:
    return f"{settings.host}:{settings.port}"


class KnownHostsPolicy:
    """Compares the key that a host proved with known_hosts: paramiko asks for every host, as it is
    told of none.
    """

    def __init__(self, settings: Settings, lines: tuple[Line, ...]) -> None:
        self.settings = settings
        self.lines = lines

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        blob = key.asbytes()
        mine = [line for line in self.lines if line.key == blob]
        if mine and not any(line.revoked for line in mine):
            return
        if mine:
            where = place(self.settings)
            raise NodeFailed(
                "NODE_HOST_KEY_CHANGED",
                self.settings.node,
                f"the host key of {where} is marked @revoked in known_hosts",
            )
        if any(not line.revoked for line in self.lines):
            raise NodeFailed(
                "NODE_HOST_KEY_CHANGED",
                self.settings.node,
                f"the host key of {place(self.settings)} differs from known_hosts: the node was "
                "reinstalled, or this is a man-in-the-middle attack",
                changed_hint(self.settings),
                forget_key(self.settings),
            )
        raise unknown(self.settings, key.get_name(), blob)


def unknown(settings: Settings, kind: str, blob: bytes) -> NodeFailed:
    digest = base64.b64encode(hashlib.sha256(blob).digest()).decode().rstrip("=")
    problem = f"the host key of {place(settings)} is not in known_hosts ({kind} SHA256:{digest})"
    return NodeFailed(
        "NODE_HOST_KEY_UNKNOWN",
        settings.node,
        problem,
        f"compare it with the node's own, then: {adding(settings, kind, blob)}",
        (here("sh", "-c", adding(settings, kind, blob)),),
    )


def adding(settings: Settings, kind: str, blob: bytes) -> str:
    """The command that makes the key known. Under another name, or behind a proxy, ssh-keyscan does
    not get at it: then the line itself.
    """
    file = shlex.quote(settings.known_hosts_file)
    if settings.key_alias or settings.proxy:
        line = f"{settings.key_names[0]} {kind} {base64.b64encode(blob).decode()}"
        return f"echo {shlex.quote(line)} >> {file}"
    short = {"ssh-ed25519": "ed25519", "ssh-rsa": "rsa"}.get(kind, "ecdsa")
    port = f" -p {settings.port}" if settings.port != 22 else ""
    return f"ssh-keyscan{port} -t {short} {settings.host} >> {file}"


def changed_hint(settings: Settings) -> str:
    [command] = forget_key(settings)
    return f"if you know the reason: {shlex.join(command.argv)}"


def forget_key(settings: Settings) -> Remedy:
    file = os.path.expanduser(settings.known_hosts_file)
    return (here("ssh-keygen", "-f", file, "-R", settings.key_names[0]),)
