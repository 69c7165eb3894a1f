"""Ask web nodes over SSH: one connection and one round trip each, at most 32 at a time, each with its own deadline."""

from __future__ import annotations

import contextlib
import json
import logging
import os
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING, Any

from cephctl.config import Node
from cephctl.errors import CephctlError
from cephctl.ssh.program import MARK, program
from cephctl.ssh.settings import Settings, settings_of

if TYPE_CHECKING:
    import paramiko

AT_ONCE = 32
CONNECT_SECONDS = 10.0
LARGEST_ANSWER = 8 << 20


class NodeFailed(CephctlError):
    """A node could not be asked. `code` is the finding that says so."""

    def __init__(self, code: str, node: str, problem: str, hint: str | None = None) -> None:
        super().__init__(f"{node}: {problem}", hint)
        self.args = (code, node, problem, hint)
        self.code = code
        self.node = node
        self.problem = problem


@dataclass(frozen=True)
class Answer:
    """What a node answered, and the operator's clock before it was asked and after."""

    value: Any
    asked: float
    answered: float


@dataclass(frozen=True)
class Question:
    """A function of the node program, its arguments, and the seconds that the whole may take."""

    function: str
    arguments: Callable[[Node], dict[str, Any]]
    seconds: float


Answers = Iterator[tuple[Node, Answer | NodeFailed]]


def ask_all(nodes: Sequence[Node], question: Question, config: str | None) -> Answers:
    """Begin to ask every node; the iterator gives each one's answer, or why there is none, as they come."""
    pool = ThreadPoolExecutor(min(AT_ONCE, max(1, len(nodes))))
    return collected(pool, {pool.submit(ask, node, question, config): node for node in nodes})


def collected(pool: ThreadPoolExecutor, pending: dict[Future[Answer | NodeFailed], Node]) -> Answers:
    try:
        while pending:
            done, _ = wait(pending, timeout=1, return_when="FIRST_COMPLETED")
            for future in done:
                yield pending.pop(future), future.result()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)


def ask(node: Node, question: Question, config: str | None) -> Answer | NodeFailed:
    """One node, within the question's deadline; never raises for what is the node's fault."""
    end = time.monotonic() + question.seconds
    try:
        settings = settings_of(node, config)
        with connected(settings, end) as client:
            return exchange(client, settings, question, node, end)
    except NodeFailed as failure:
        return failure
    except CephctlError as error:
        return NodeFailed("NODE_UNREACHABLE", node.name, error.message, error.hint)


def load_paramiko() -> Any:
    """The library, without what it says about ciphers that nobody uses."""
    import warnings

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        import paramiko
    # What it logs is said by the errors.
    logging.getLogger("paramiko").setLevel(logging.CRITICAL)
    return paramiko


@contextlib.contextmanager
def connected(settings: Settings, end: float) -> Iterator[paramiko.SSHClient]:
    """A connection to a host whose key is known."""
    client = load_paramiko().SSHClient()
    for name, kind, key in known_keys(settings):
        client.get_host_keys().add(name, kind, key)
    client.set_missing_host_key_policy(Refuse(settings))
    try:
        connect(client, settings, end)
        yield client
    finally:
        client.close()


def connect(client: paramiko.SSHClient, settings: Settings, end: float) -> None:
    import paramiko

    seconds = max(0.5, min(CONNECT_SECONDS, end - time.monotonic()))
    node = settings.node
    try:
        client.connect(
            settings.host,
            settings.port,
            settings.user,
            key_filename=list(settings.identities),  # type: ignore[arg-type]  # the stub knows one file only
            sock=proxied(settings) or tcp(settings, seconds),
            timeout=seconds,
            banner_timeout=seconds,
            auth_timeout=seconds,
            allow_agent=settings.use_agent,
            look_for_keys=False,
        )
    except paramiko.BadHostKeyException:
        raise changed_key(settings) from None
    except (paramiko.AuthenticationException, paramiko.PasswordRequiredException):
        keys = ", ".join(settings.identities) or "none"
        problem = f"sshd refused the login of {settings.user} (key files: {keys})"
        raise NodeFailed("NODE_LOGIN_REFUSED", node, problem, f"see 'ssh {settings.user}@{settings.host}'") from None
    except TimeoutError:
        raise NodeFailed(
            "NODE_SILENT", node, f"sshd at {place(settings)} accepted the connection and said nothing for {seconds:.0f} s"
        ) from None
    except (OSError, EOFError, paramiko.SSHException) as error:
        raise ssh_failed(settings, error, seconds) from None


def tcp(settings: Settings, seconds: float) -> socket.socket:
    try:
        return socket.create_connection((settings.host, settings.port), timeout=seconds)
    except OSError as error:
        reason = (
            f"no answer within {seconds:.0f} s" if isinstance(error, TimeoutError) else (error.strerror or str(error)).lower()
        )
        raise NodeFailed("NODE_UNREACHABLE", settings.node, f"cannot connect to {place(settings)}: {reason}") from None


def proxied(settings: Settings) -> Any:
    import paramiko

    return paramiko.ProxyCommand(settings.proxy) if settings.proxy else None


def ssh_failed(settings: Settings, error: Exception, seconds: float) -> NodeFailed:
    """Paramiko's own errors, which name no host."""
    text = str(error) or type(error).__name__
    if "banner" in text:
        return NodeFailed("NODE_SILENT", settings.node, f"no SSH banner from {place(settings)} within {seconds:.0f} s")
    return NodeFailed("NODE_UNREACHABLE", settings.node, f"SSH to {place(settings)} failed: {text}")


def place(settings: Settings) -> str:
    return f"{settings.host}:{settings.port}"


@cache
def host_keys(files: tuple[str, ...]) -> paramiko.HostKeys:
    """All that the known_hosts files know; read once for all nodes."""
    import paramiko

    keys = paramiko.HostKeys()
    for file in files:
        with contextlib.suppress(OSError, paramiko.SSHException):
            keys.load(file)
    return keys


def known_keys(settings: Settings) -> Iterator[tuple[str, str, Any]]:
    """The keys known for a host, under the name that paramiko will look for."""
    own = settings.host if settings.port == 22 else f"[{settings.host}]:{settings.port}"
    for name in settings.key_names:
        found = host_keys(settings.known_hosts).lookup(name)
        for kind, key in (found or {}).items():
            yield own, kind, key


class Refuse:
    """The policy for a host without a known key."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    def missing_host_key(self, client: Any, hostname: str, key: Any) -> None:
        settings = self.settings
        file = next(iter(settings.known_hosts), os.path.expanduser("~/.ssh/known_hosts"))
        port = f" -p {settings.port}" if settings.port != 22 else ""
        raise NodeFailed(
            "NODE_HOST_KEY_UNKNOWN",
            settings.node,
            f"the host key of {place(settings)} is not in known_hosts ({key.get_name()} {fingerprint(key)})",
            f"compare it with the node's own, then: ssh-keyscan{port} -t ed25519 {settings.host} >> {file}",
        )


def fingerprint(key: Any) -> str:
    """As ssh-keygen prints it."""
    import base64
    import hashlib

    return "SHA256:" + base64.b64encode(hashlib.sha256(key.asbytes()).digest()).decode().rstrip("=")


def changed_key(settings: Settings) -> NodeFailed:
    name = next(iter(settings.key_names))
    return NodeFailed(
        "NODE_HOST_KEY_CHANGED",
        settings.node,
        f"the host key of {place(settings)} is not the known one: the node was installed anew, or somebody is in between",
        f"if you know why: ssh-keygen -f {next(iter(settings.known_hosts), '~/.ssh/known_hosts')} -R {name}",
    )


def exchange(client: paramiko.SSHClient, settings: Settings, question: Question, node: Node, end: float) -> Answer:
    """Send the program, read the one answer."""
    transport = client.get_transport()
    assert transport
    command = "python3 -" if settings.user == "root" else "sudo -n python3 -"
    try:
        channel = transport.open_session(timeout=max(0.1, end - time.monotonic()))
        channel.settimeout(max(0.1, end - time.monotonic()))
        channel.exec_command(command)
        arguments = question.arguments(node)
        asked = time.time()
        channel.sendall(program(question.function, arguments))
        channel.shutdown_write()
        output, problem, status = collect(channel, settings, end, question.seconds)
    except (OSError, EOFError) as error:
        raise ssh_failed(settings, error, question.seconds) from None
    except Exception as error:
        if type(error).__module__.startswith("paramiko"):
            raise ssh_failed(settings, error, question.seconds) from None
        raise
    return Answer(decoded(settings.node, output, problem, status), asked, time.time())


def collect(channel: paramiko.Channel, settings: Settings, end: float, seconds: float) -> tuple[bytes, bytes, int]:
    """All that the node writes, up to its end, the deadline or the limit of what we take."""
    parts: dict[bool, bytes] = {True: b"", False: b""}
    silent = NodeFailed("NODE_SILENT", settings.node, f"no answer within {seconds:.0f} s")
    while not (
        channel.exit_status_ready() and not channel.recv_ready() and not channel.recv_stderr_ready() and channel.eof_received
    ):
        if time.monotonic() > end:
            raise silent
        channel.settimeout(0.2)
        with contextlib.suppress(socket.timeout):
            if channel.recv_stderr_ready():
                parts[False] = (parts[False] + channel.recv_stderr(65536))[-4096:]
            else:
                chunk = channel.recv(65536)
                parts[True] += chunk
                if not chunk and not channel.exit_status_ready():
                    channel.status_event.wait(max(0.0, min(1.0, end - time.monotonic())))
        if len(parts[True]) > LARGEST_ANSWER:
            raise NodeFailed("NODE_SILENT", settings.node, f"it sent more than {LARGEST_ANSWER >> 20} MiB and no answer")
    return parts[True], parts[False], channel.recv_exit_status()


def decoded(node: str, output: bytes, problem: bytes, status: int) -> Any:
    """The answer in what the node printed; without one, why."""
    lines = [line for line in output.decode(errors="replace").splitlines() if line.startswith(MARK)]
    try:
        message = json.loads(lines[-1].removeprefix(MARK)) if lines else None
    except ValueError:
        message = None
    if not isinstance(message, dict):
        raise no_answer(node, problem.decode(errors="replace"), status)
    if "too_old" in message:
        raise NodeFailed("NODE_PYTHON_TOO_OLD", node, f"its python3 is {message['too_old']}; cephctl needs 3.8")
    if "bug" in message:
        raise NodeFailed("NODE_PROGRAM_FAILED", node, f"a bug in cephctl's node program: {message['bug']}")
    return message["answer"]


def no_answer(node: str, problem: str, status: int) -> NodeFailed:
    last = (problem.strip().splitlines() or ["no reason given"])[-1]
    if re.search(r"python3\S*:? (command )?not found|python3: No such file", problem):
        return NodeFailed("NODE_NO_PYTHON", node, "it has no python3", "on the node: apt-get install python3")
    if "sudo" in problem:
        hint = "its login needs a line in sudoers: USER ALL=(root) NOPASSWD: /usr/bin/python3 -"
        return NodeFailed("NODE_SUDO_REFUSED", node, f"sudo refused: {last}", hint)
    return NodeFailed("NODE_PROGRAM_FAILED", node, f"its python3 ended with {status}: {last}")
