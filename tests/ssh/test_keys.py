"""Whom cephctl talks to, and as whom: host keys as OpenSSH knows them, and keys that open or do not
open a login.
"""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.command import Result
from tests.lab.shell import run
from tests.ssh.fleet import Fleet, Node

ANSWERED = 3
UNREACHABLE = 4
BAD_LINES = (
    b"other ssh-ed25519 AAAAC3N\n",
    b"other ssh-ed25519 AAAAC3Nz\n",
    b"# M\xfcller\n",
    b"one words\n",
    b"other sk-new@example.org AAAA\n",
    b"@cert-authority\n",
)


def probe(fleet: Fleet, **environment: str) -> Result:
    """Ask all nodes; errors and their hints are on stderr."""
    return fleet.cephctl("node", "probe", **environment)


def run_printed(result: Result) -> None:
    """Run the command that a hint ends with, as it is printed."""
    [command] = re.findall(r": ((?:ssh|echo)\S* .*)$", result.stderr, re.MULTILINE)
    subprocess.run(
        command, shell=True, check=True, capture_output=True, stdin=subprocess.DEVNULL, timeout=30
    )


def key_of(fleet: Fleet, node: Node) -> str:
    """Kind and key of a node, as they stand in known_hosts."""
    return fleet.known_line(node).partition(" ")[2]


def code(fleet: Fleet) -> str:
    return str(fleet.cephctl("node", "doctor", "-f", "json").json["nodes"][0]["code"])


# Host keys


def test_an_unknown_host_key_is_refused_and_the_printed_command_makes_it_known(
    fleet: Fleet,
) -> None:
    node = fleet.add()[0]
    fleet.known_hosts.write_text("")
    refused = probe(fleet)
    fingerprint = run("ssh-keygen", "-lf", node.host_key).split()[1]
    assert refused.status == UNREACHABLE
    assert (
        f"node000: the host key of 127.0.0.1:{node.port} is not in known_hosts "
        f"(ssh-ed25519 {fingerprint})"
    ) in refused.stderr
    assert f"ssh-keyscan -p {node.port}" in refused.stderr
    assert (node.logins(), node.sessions()) == (0, 0)
    run_printed(refused)
    assert probe(fleet).status == ANSWERED


def test_the_printed_command_makes_the_file_that_ssh_is_configured_with(fleet: Fleet) -> None:
    fleet.add()
    fleet.known_hosts.unlink()
    run_printed(probe(fleet))
    assert fleet.known_hosts.is_file()
    assert probe(fleet).status == ANSWERED


def test_the_printed_command_works_for_a_node_with_an_rsa_key_alone(fleet: Fleet) -> None:
    fleet.add(host_key=fleet.new_key("rsa", "rsa"))
    fleet.known_hosts.write_text("")
    run_printed(probe(fleet))
    assert probe(fleet).status == ANSWERED


def test_the_printed_command_works_under_a_hostkeyalias(fleet: Fleet) -> None:
    fleet.add(client="  HostKeyAlias web")
    fleet.known_hosts.write_text("")
    run_printed(probe(fleet))
    assert probe(fleet).status == ANSWERED


def test_a_changed_host_key_is_refused_and_the_printed_command_forgets_it(fleet: Fleet) -> None:
    node = fleet.add()[0]
    fleet.known_hosts.write_text(fleet.known_line(node, key=fleet.new_key("former")))
    assert code(fleet) == "NODE_HOST_KEY_CHANGED"
    refused = probe(fleet)
    assert refused.status == UNREACHABLE
    assert "node000: the host key" in refused.stderr
    assert "differs from known_hosts" in refused.stderr
    assert (node.logins(), node.sessions()) == (0, 0)
    run_printed(refused)
    assert code(fleet) == "NODE_HOST_KEY_UNKNOWN"


def test_a_revoked_host_key_is_refused(fleet: Fleet) -> None:
    node = fleet.add()[0]
    fleet.known_hosts.write_text(f"@revoked * {key_of(fleet, node)}{fleet.known_line(node)}")
    assert probe(fleet).status == UNREACHABLE
    assert node.sessions() == 0


def test_one_known_key_of_several_is_enough(fleet: Fleet) -> None:
    """The operator has had the node's RSA key for years; the node has an Ed25519 key too."""
    keys = {kind: fleet.new_key(f"host_{kind}", kind) for kind in ("rsa", "ecdsa", "ed25519")}
    nodes = fleet.add(3, settings="".join(f"HostKey {key}\n" for key in keys.values()))
    lines = [
        fleet.known_line(node, key=key) for node, key in zip(nodes, keys.values(), strict=True)
    ]
    fleet.known_hosts.write_text("".join(lines))
    result = probe(fleet)
    assert result.status == ANSWERED, result.stderr


def test_known_hosts_is_read_as_openssh_reads_it(fleet: Fleet) -> None:
    """A line among comments, a list of names, a pattern, and tabs between the fields."""
    forms = (
        "# a node\n\n{name} {key}",
        "elsewhere,{name} {key}",
        "[127.0.0.*]:{port} {key}",
        "{name}\t{tabs}",
    )
    lines = []
    for form, node in zip(forms, fleet.add(len(forms)), strict=True):
        key = key_of(fleet, node)
        lines.append(
            form.format(name=node.known_name, port=node.port, key=key, tabs=key.replace(" ", "\t"))
        )
    fleet.known_hosts.write_text("".join(lines))
    result = probe(fleet)
    assert result.status == ANSWERED, result.stderr


def test_hashed_names_are_found(fleet: Fleet) -> None:
    fleet.add(2)
    run("ssh-keygen", "-q", "-H", "-f", fleet.known_hosts)
    assert "127.0.0.1" not in fleet.known_hosts.read_text()
    assert probe(fleet).status == ANSWERED


def test_bad_lines_in_known_hosts_are_passed_over(fleet: Fleet) -> None:
    fleet.add()
    fleet.known_hosts.write_bytes(b"".join(BAD_LINES) + fleet.known_hosts.read_bytes())
    assert probe(fleet).status == ANSWERED


# Logins


def test_a_refused_login_names_user_and_key_files(fleet: Fleet) -> None:
    fleet.add(settings=f"AuthorizedKeysFile {fleet.new_key('other')}.pub")
    refused = probe(fleet)
    assert refused.status == UNREACHABLE
    assert f"node000: sshd refused the login of root (key files: {fleet.key})" in refused.stderr
    assert code(fleet) == "NODE_LOGIN_REFUSED"


@pytest.mark.parametrize("content", [None, "no key\n"], ids=["missing", "no key"])
def test_without_a_usable_identity_the_login_is_what_failed(
    fleet: Fleet, content: str | None
) -> None:
    fleet.add()
    fleet.key = fleet.folder / "identity"
    if content:
        fleet.key.write_text(content)
    fleet.write_ssh_config()
    assert code(fleet) == "NODE_LOGIN_REFUSED"


def locked(fleet: Fleet) -> Path:
    """A node whose one key is in a file with a passphrase."""
    key = fleet.new_key("locked", passphrase="five by five")
    fleet.add(settings=f"AuthorizedKeysFile {key}.pub")
    fleet.key = key
    fleet.write_ssh_config()
    return key


def test_an_identity_with_a_passphrase_is_said_to_have_one(fleet: Fleet) -> None:
    key = locked(fleet)
    refused = probe(fleet)
    assert refused.status == UNREACHABLE
    assert str(key) in refused.stderr
    assert re.search("passphrase|encrypted", refused.stderr)


@contextmanager
def agent(fleet: Fleet, key: Path) -> Iterator[str]:
    """An agent that holds the key."""
    socket, ask = fleet.folder / "agent", fleet.folder / "askpass"
    ask.write_text("#!/bin/sh\necho five by five\n")
    ask.chmod(0o700)
    process = subprocess.Popen(["ssh-agent", "-D", "-a", str(socket)], stdout=subprocess.DEVNULL)
    try:
        variables = {
            "SSH_AUTH_SOCK": str(socket),
            "SSH_ASKPASS": str(ask),
            "SSH_ASKPASS_REQUIRE": "force",
        }
        subprocess.run(
            ["sh", "-c", f"until ssh-add {key}; do sleep 0.05; done"],
            env=os.environ | variables,
            check=True,
            capture_output=True,
            timeout=30,
        )
        yield str(socket)
    finally:
        process.terminate()
        process.wait()


@pytest.mark.parametrize("only", ["yes", "no"])
def test_the_agent_opens_it_as_for_ssh(fleet: Fleet, only: str) -> None:
    """IdentitiesOnly does not turn the agent off: it leaves of its keys those that the
    configuration names.
    """
    key = locked(fleet)
    fleet.nodes["node000"].client = f"  IdentitiesOnly {only}"
    fleet.write_ssh_config()
    with agent(fleet, key) as socket:
        assert (
            run(
                "env",
                f"SSH_AUTH_SOCK={socket}",
                "ssh",
                "-F",
                fleet.ssh_config,
                "node000",
                "echo in",
            )
            == "in\n"
        )
        assert probe(fleet, SSH_AUTH_SOCK=socket).status == ANSWERED


def test_an_agent_that_is_gone_is_no_matter(fleet: Fleet) -> None:
    fleet.add(client="  IdentitiesOnly no")
    assert probe(fleet, SSH_AUTH_SOCK="/nonexistent/agent").status == ANSWERED
