"""Many nodes at once, and among them such as cannot be reached, fall silent, or never end."""

from __future__ import annotations

import contextlib
import itertools
import re
import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass

import pytest

from tests.lab.shell import wait_until
from tests.ssh.conftest import HEALTH_OF_ANSWERED, Told, asked, fleet_in
from tests.ssh.fleet import Fleet, processes, read

SECONDS = 6
BANNER = b"SSH-2.0-OpenSSH_9.2p1\r\n"


@dataclass(frozen=True)
class Sick:
    """A fleet of nodes that fail in every way before a login, two good ones among them, and what
    was told of it.
    """

    names: dict[str, str]
    told: Told

    def told_of(self, kind: str) -> tuple[str, str, str]:
        """The code, and what doctor and health said."""
        name = self.names[kind]
        return self.told.code(name), self.told.diagnosis(name)["summary"], self.told.error(name)


@pytest.fixture(scope="module")
def sick(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sick]:
    with ExitStack() as stack:
        fleet = stack.enter_context(fleet_in(tmp_path_factory.mktemp("sick"), SECONDS))
        first, stopped, frozen, last = fleet.add(4)
        # As when what a login needs lies on a file system that hangs.
        [slow] = fleet.add(
            settings=(
                "AuthorizedKeysFile none\nAuthorizedKeysCommand /bin/sleep "
                "60\nAuthorizedKeysCommandUser root"
            )
        )
        stopped.stop()
        frozen.freeze()
        names = {
            "first": first.name,
            "last": last.name,
            "stopped": stopped.name,
            "frozen": frozen.name,
            "slow": slow.name,
        }
        for kind, text, ends in (
            ("mute", b"", False),
            ("banner", BANNER, False),
            ("closing", b"", True),
            ("web", b"HTTP/1.1 400\r\n\r\n", True),
        ):
            sock = stack.enter_context(closing(socket.create_server(("127.0.0.1", 0))))
            threading.Thread(target=serve, args=(sock, text, ends), daemon=True).start()
            names[kind] = fleet.add_port(sock.getsockname()[1]).name
        yield Sick(names, asked(fleet))


def serve(sock: socket.socket, text: bytes, ends: bool) -> None:
    """Say the text to everybody who comes, then close, or keep silent."""
    kept = []
    while True:
        try:
            connection = sock.accept()[0]
            connection.sendall(text)
        except OSError:
            return
        if ends:
            connection.close()
        else:
            kept.append(connection)


# One run


def test_all_nodes_answer_in_one_run_in_the_order_of_the_inventory(fleet: Fleet) -> None:
    fleet.add(12)
    result = fleet.cephctl("node", "health", "-f", "json")
    assert [row["node"] for row in result.json] == list(fleet.nodes)
    assert {row["last_error"] for row in result.json} == {HEALTH_OF_ANSWERED}
    assert result.status == 3


def test_more_nodes_than_are_asked_at_once_all_answer(fleet: Fleet) -> None:
    fleet.add(34)
    result = fleet.cephctl("node", "health", "-f", "json")
    assert [row["last_error"] for row in result.json] == [HEALTH_OF_ANSWERED] * 34


@pytest.mark.parametrize("command", ["doctor", "health"])
def test_each_node_sees_one_connection_one_login_and_one_command(
    fleet: Fleet, command: str
) -> None:
    nodes = fleet.add(4)
    before = [node.connections() for node in nodes]
    assert fleet.cephctl("node", command).status == 3
    assert [node.connections() - count for node, count in zip(nodes, before, strict=True)] == [
        1
    ] * 4
    assert [(node.logins(), node.sessions()) for node in nodes] == [(1, 1)] * 4


def test_nothing_is_left_on_a_node(fleet: Fleet) -> None:
    fleet.add(3)
    assert fleet.cephctl("node", "doctor").status == 3
    wait_until("the end of the node programs", lambda: not fleet.commands(), 5)
    # The three nodes share one home.
    assert not list(fleet.folder.glob(".*"))


# Nodes that fail


def test_the_others_answer_and_the_exit_status_is_5(sick: Sick) -> None:
    assert sick.told.has_answered(sick.names["first"])
    assert sick.told.has_answered(sick.names["last"])
    assert (sick.told.doctor.status, sick.told.health.status) == (5, 5)


def test_a_stopped_sshd_refuses_the_connection(sick: Sick) -> None:
    code, summary, error = sick.told_of("stopped")
    assert code == "NODE_UNREACHABLE"
    assert "connection refused" in summary
    assert "connection refused" in error


@pytest.mark.parametrize("kind", ["frozen", "mute", "banner", "slow"])
def test_a_node_that_accepts_and_says_nothing_is_silent(sick: Sick, kind: str) -> None:
    code, summary, error = sick.told_of(kind)
    assert code == "NODE_SILENT"
    assert re.search(r"(within|for) \d+ s", summary)
    assert re.search(r"(within|for) \d+ s", error)


@pytest.mark.parametrize("kind", ["closing", "web"])
def test_a_node_that_closes_the_connection_is_not_said_to_be_silent(sick: Sick, kind: str) -> None:
    code, summary, error = sick.told_of(kind)
    assert code == "NODE_UNREACHABLE"
    assert "within" not in summary
    assert "within" not in error


@pytest.mark.parametrize("command", ["doctor", "health", "probe"])
def test_the_exit_status_is_4_when_no_node_answers(fleet: Fleet, command: str) -> None:
    for node in fleet.add(2):
        node.stop()
    result = fleet.cephctl("node", command)
    assert result.status == 4
    assert "node000" in result.output
    assert "node001" in result.output


def test_a_node_that_comes_back_answers_again(fleet: Fleet) -> None:
    node = fleet.add()[0]
    node.stop()
    assert fleet.cephctl("node", "health").status == 4
    node.start()
    node.ready()
    assert fleet.cephctl("node", "health").status == 3


# Whoever asked has had enough


@pytest.mark.parametrize("jump", [False, True], ids=["direct", "through a jump host"])
def test_ctrl_c_ends_the_command_and_leaves_no_process(fleet: Fleet, jump: bool) -> None:
    fleet.add(2)
    hanging = fleet.add_script("exec sleep 60")
    if jump:
        hanging.client = "  ProxyJump node000"
        fleet.write()
    program = fleet.cephctl.start("node", "health")
    wait_until("a hanging node", lambda: hanging.sessions() == 1, 20, every=0.05)
    program.send_signal(2)
    _, said = program.communicate(timeout=20)
    assert program.returncode == 130
    assert said.splitlines()[-1] == "cephctl: interrupted"
    wait_until("the end of its processes", lambda: not group(program.pid), 5)


def group(leader: int) -> list[int]:
    """The processes of a process group."""
    return [
        pid
        for pid in processes()
        if read(f"/proc/{pid}/stat").rpartition(b")")[2].split()[2:3] == [str(leader).encode()]
    ]


def test_a_closed_pipe_is_no_error(fleet: Fleet) -> None:
    fleet.add(2)
    program = fleet.cephctl.start("node", "health")
    assert program.stdout
    assert program.stderr
    program.stdout.close()
    said = program.stderr.read()
    assert program.wait(timeout=30) == 0
    assert "Traceback" not in said
    assert "error" not in said


def test_a_connection_that_is_reset_before_the_login_is_tried_again(fleet: Fleet) -> None:
    """As sshd does it beyond MaxStartups, or while it restarts."""
    node = fleet.add()[0]
    with closing_first(node.port, times=2) as port:
        behind = fleet.add_port(port)
        told = fleet.cephctl("node", "health", behind.name, "-f", "json").json
    assert told[0]["last_error"] == HEALTH_OF_ANSWERED


def test_a_host_that_always_closes_is_not_tried_for_ever(fleet: Fleet) -> None:
    node = fleet.add()[0]
    with closing_first(node.port, times=1000) as port:
        behind = fleet.add_port(port)
        told = fleet.cephctl("node", "health", behind.name, "-f", "json").json
    assert "closed the connection" in told[0]["last_error"]


@contextmanager
def closing_first(port: int, times: int) -> Iterator[int]:
    """A port that closes its first connections, and leads to an sshd from then on."""
    listener = socket.create_server(("127.0.0.1", 0))
    ends: list[socket.socket] = [listener]

    def serve() -> None:
        with contextlib.suppress(OSError):
            for number in itertools.count():
                channel, _ = listener.accept()
                if number < times:
                    channel.close()
                    continue
                behind = socket.create_connection(("127.0.0.1", port))
                ends.extend((channel, behind))
                for one, other in ((channel, behind), (behind, channel)):
                    threading.Thread(target=copy, args=(one, other), daemon=True).start()

    threading.Thread(target=serve, daemon=True).start()
    try:
        yield listener.getsockname()[1]
    finally:
        for each in ends:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()


def copy(one: socket.socket, other: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := one.recv(65536):
            other.sendall(data)
        other.shutdown(socket.SHUT_WR)
