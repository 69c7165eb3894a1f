"""Ask web nodes over SSH: one connection and one round trip each, at most 32 at a time, each with
its own deadline.
"""

from __future__ import annotations

import contextlib
import json
import re
import socket
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cephctl.config import Node
from cephctl.errors import CephctlError
from cephctl.parse import Json
from cephctl.remedy import Command
from cephctl.ssh.connection import NodeFailed, connected, place
from cephctl.ssh.program import MARK, program
from cephctl.ssh.settings import Settings, settings_of

if TYPE_CHECKING:
    import paramiko

AT_ONCE = 32
LARGEST_ANSWER = 8 << 20
LARGEST_COMPLAINT = 1 << 20
COMMAND = "python3 -I -S -"
"""Isolated: no module of the login's directory is imported as root; and without site, which takes
as long as all the rest.
"""


@dataclass(frozen=True)
class Answer:
    """What a node answered, and the operator's clock before it was asked and after."""

    value: Json
    asked: float
    answered: float


@dataclass(frozen=True)
class Question:
    """A function of the node program, its arguments, and the seconds that the whole may take."""

    function: str
    arguments: Callable[[Node], dict[str, Json]]
    seconds: float


Answers = Iterator[tuple[Node, Answer | NodeFailed]]


def ask_all(nodes: Sequence[Node], question: Question, config: str | None) -> Answers:
    """Begin to ask every node; the iterator gives each one's answer, or why there is none, as they
    come.
    """
    pool = ThreadPoolExecutor(min(AT_ONCE, max(1, len(nodes))))
    return collected(pool, {pool.submit(ask, node, question, config): node for node in nodes})


def collected(
    pool: ThreadPoolExecutor, pending: dict[Future[Answer | NodeFailed], Node]
) -> Answers:
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


def exchange(
    client: paramiko.SSHClient, settings: Settings, question: Question, node: Node, end: float
) -> Answer:
    """Send the program, read the one answer."""
    import paramiko

    transport = client.get_transport()
    assert transport
    try:
        channel = transport.open_session(timeout=max(0.1, end - time.monotonic()))
        channel.settimeout(max(0.1, end - time.monotonic()))
        channel.exec_command(COMMAND if settings.user == "root" else f"sudo -n {COMMAND}")
        arguments = question.arguments(node)
        asked = time.time()
        # Who does not listen has said why on stderr.
        with contextlib.suppress(OSError):
            channel.sendall(program(question.function, arguments))
            channel.shutdown_write()
        output, complaint, status = collect(channel, settings, end, question.seconds)
    except (OSError, EOFError, paramiko.SSHException) as error:
        text = (
            "the node closed it"
            if isinstance(error, (EOFError, ConnectionError))
            else str(error) or type(error).__name__
        )
        raise NodeFailed(
            "NODE_UNREACHABLE", settings.node, f"SSH to {place(settings)} broke: {text}"
        ) from None
    return Answer(decoded(settings, output, complaint, status), asked, time.time())


def collect(
    channel: paramiko.Channel, settings: Settings, end: float, seconds: float
) -> tuple[bytes, bytes, int]:
    """All that the node writes, up to its end, the deadline or the limit of what we take."""
    output = complaint = b""
    refused = 0
    channel.settimeout(0.2)
    while True:
        # Looked at first: what came before the end is read after it.
        ended = channel.closed or (channel.eof_received and channel.exit_status_ready())
        if channel.recv_stderr_ready():
            chunk = channel.recv_stderr(65536)
            refused += len(chunk)
            complaint = (complaint + chunk)[-4096:]
            continue
        with contextlib.suppress(socket.timeout):
            if not channel.eof_received or channel.recv_ready():
                output += channel.recv(65536)
            elif not ended:
                channel.status_event.wait(0.05)
        if len(output) > LARGEST_ANSWER or refused > LARGEST_COMPLAINT:
            raise NodeFailed(
                "NODE_SILENT",
                settings.node,
                f"it sent more than {(len(output) + refused) >> 20} MiB and no answer",
            )
        if ended and not channel.recv_ready() and not channel.recv_stderr_ready():
            return (
                output,
                complaint,
                channel.recv_exit_status() if channel.exit_status_ready() else -1,
            )
        if time.monotonic() > end:
            raise NodeFailed("NODE_SILENT", settings.node, f"no answer within {seconds:.0f} s")


def decoded(settings: Settings, output: bytes, complaint: bytes, status: int) -> Json:
    """The answer in what the node printed; without one, why."""
    node = settings.node
    lines = [line for line in output.decode(errors="replace").splitlines() if line.startswith(MARK)]
    try:
        message = json.loads(lines[-1].removeprefix(MARK)) if lines else None
    except (ValueError, RecursionError):
        message = None
    if not isinstance(message, dict) or not {"answer", "bug", "too_old"} & set(message):
        raise no_answer(settings, complaint.decode(errors="replace"), status)
    if "too_old" in message:
        raise NodeFailed(
            "NODE_PYTHON_TOO_OLD", node, f"its python3 is {message['too_old']}; cephctl needs 3.8"
        )
    if "bug" in message:
        raise NodeFailed(
            "NODE_PROGRAM_FAILED", node, f"a bug in cephctl's node program: {message['bug']}"
        )
    return message["answer"]


def no_answer(settings: Settings, complaint: str, status: int) -> NodeFailed:
    last = (complaint.strip().splitlines() or ["no reason given"])[-1]
    no_sudo = re.search(r"sudo: (command )?not found|not found: sudo", complaint)
    if re.search(
        r"python3\S*:? (command )?not found|not found: python3|python3: No such file", complaint
    ) or (status == 127 and not no_sudo):
        return NodeFailed(
            "NODE_NO_PYTHON",
            settings.node,
            "it has no python3",
            f"{settings.command()} sudo apt-get install -y python3",
            (Command(("apt-get", "install", "-y", "python3"), node=settings.node),),
        )
    if no_sudo or re.search(r"(?m)^sudo: ", complaint):
        hint = f"in sudoers on the node: {settings.user} ALL=(root) NOPASSWD: /usr/bin/python3"
        return NodeFailed("NODE_SUDO_REFUSED", settings.node, f"sudo refused: {last}", hint)
    how = "closed the connection" if status == -1 else f"its python3 ended with {status}"
    return NodeFailed("NODE_PROGRAM_FAILED", settings.node, f"{how}: {last}")
