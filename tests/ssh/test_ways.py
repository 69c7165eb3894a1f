"""The ways to a node that an ssh configuration can describe."""

from __future__ import annotations

import pytest

from tests.command import Result
from tests.ssh.fleet import Fleet

ANSWERED = 3
UNREACHABLE = 4


def probe(fleet: Fleet, node: str) -> Result:
    return fleet.cephctl("node", "probe", node)


def test_included_files_and_matches_count(fleet: Fleet) -> None:
    node = fleet.add()[0]
    included = fleet.folder / "included"
    included.write_text(
        'Match host node* exec "test %h = node000"\n  HostName 127.0.0.1\n  Port '
        f"{node.port}\nMatch all\n"
    )
    everywhere = fleet.ssh_config.read_text().partition("Host *\n")[2]
    fleet.ssh_config.write_text(f"Include {included}\nHost *\n{everywhere}")
    assert probe(fleet, node.name).status == ANSWERED


def test_a_node_without_a_hostname_is_reached_at_its_address(fleet: Fleet) -> None:
    node = fleet.add()[0]
    fleet.ssh_config.write_text(fleet.ssh_config.read_text().replace("HostName 127.0.0.1", ""))
    assert probe(fleet, node.name).status == ANSWERED


def test_a_hostkeyalias_is_the_name_in_known_hosts(fleet: Fleet) -> None:
    node = fleet.add(client="  HostKeyAlias web")[0]
    fleet.known_hosts.write_text(fleet.known_line(node))
    assert probe(fleet, node.name).status == UNREACHABLE
    fleet.known_hosts.write_text(fleet.known_line(node, "web"))
    assert probe(fleet, node.name).status == ANSWERED


def test_the_key_may_be_known_under_the_name_of_the_node(fleet: Fleet) -> None:
    node = fleet.add()[0]
    fleet.known_hosts.write_text(fleet.known_line(node, f"[{node.name}]:{node.port}"))
    assert probe(fleet, node.name).status == ANSWERED


def test_the_user_of_the_configuration_logs_in(fleet: Fleet) -> None:
    node = fleet.add(client="  User nobody")[0]
    assert "sshd refused the login of nobody" in probe(fleet, node.name).stderr
    assert "for nobody" in node.log.read_text()


# Through another host


@pytest.mark.parametrize("jump", ["{name}", "root@127.0.0.1:{port}", "ssh://127.0.0.1:{port}"])
def test_proxyjump_leads_through_the_jump_host(fleet: Fleet, jump: str) -> None:
    host = fleet.add()[0]
    node = fleet.add(client=f"  ProxyJump {jump.format(name=host.name, port=host.port)}")[0]
    result = probe(fleet, node.name)
    assert result.status == ANSWERED, result.stderr
    assert (host.logins(), host.sessions()) == (1, 0)
    assert (node.logins(), node.sessions()) == (1, 1)


def test_proxyjump_leads_through_two(fleet: Fleet) -> None:
    first, second = fleet.add(2)
    node = fleet.add(client="  ProxyJump node000,node001")[0]
    assert probe(fleet, node.name).status == ANSWERED
    assert [each.logins() for each in (first, second, node)] == [1, 1, 1]


def test_a_jump_host_with_an_unknown_key_is_refused(fleet: Fleet) -> None:
    jump = fleet.add(host_key=fleet.new_key("jump"))[0]
    node = fleet.add(client="  ProxyJump node000")[0]
    fleet.known_hosts.write_text(fleet.known_line(node))
    result = probe(fleet, node.name)
    assert result.status == UNREACHABLE
    assert "Host key verification failed" in result.stderr
    assert jump.logins() == 0


def test_a_jump_host_that_is_down_is_the_reason_that_is_told(fleet: Fleet) -> None:
    """In the words of the ssh that leads there."""
    jump = fleet.add()[0]
    node = fleet.add(client="  ProxyJump node000")[0]
    jump.stop()
    result = probe(fleet, node.name)
    assert result.status == UNREACHABLE
    assert "onnection refused" in result.stderr
    assert "within" not in result.stderr


def test_a_proxycommand_is_a_line_of_shell(fleet: Fleet) -> None:
    jump, *nodes = fleet.add(4)
    way = f"ssh -F {fleet.ssh_config} -W"
    commands = (
        f"{way} %h:%p node000",
        f"exec {way} [%h]:%p node000",
        f"cd / && {way} %h:%p node000 2>/dev/null",
    )
    for node, command in zip(nodes, commands, strict=True):
        node.client = f"  ProxyCommand {command}"
    fleet.write()
    result = fleet.cephctl("node", "probe")
    assert result.status == ANSWERED, result.stderr
    assert jump.logins() == 4


def test_a_proxycommand_that_ends_says_why(fleet: Fleet) -> None:
    tunnel = fleet.folder / "tunnel"
    tunnel.write_text("echo the tunnel is closed today >&2\n")
    node = fleet.add(client=f"  ProxyCommand sh {tunnel}")[0]
    result = probe(fleet, node.name)
    assert result.status == UNREACHABLE
    assert "the tunnel is closed today" in result.stderr
    assert "within" not in result.stderr
