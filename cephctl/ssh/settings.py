"""How to reach a node, as OpenSSH itself would: its configuration with Include, Match, ProxyJump
and all, asked of `ssh -G`.
"""

from __future__ import annotations

import os
import shlex
import subprocess
from dataclasses import dataclass

from cephctl.config import Node
from cephctl.errors import UsageError

SECONDS = 5


@dataclass(frozen=True)
class Settings:
    """What `ssh -G` says of one node. `proxy` is a command whose stdin and stdout lead to the
    node's sshd.
    """

    node: str
    host: str
    port: int
    user: str
    identities: tuple[str, ...]
    known_hosts: tuple[str, ...]
    key_alias: str | None
    known_hosts_file: str
    proxy: str | None
    config: str | None

    def command(self) -> str:
        """The ssh command that reaches the node as cephctl does."""
        return shlex.join([*ssh(self.config), self.node])

    @property
    def key_names(self) -> tuple[str, ...]:
        """The names that known_hosts may have the host's key under."""
        plain = (self.key_alias,) if self.key_alias else (self.host, self.node)
        return tuple(
            dict.fromkeys(
                name if self.port == 22 or self.key_alias else f"[{name}]:{self.port}"
                for name in plain
            )
        )


def ssh(config: str | None) -> list[str]:
    """OpenSSH with the configuration that counts."""
    return ["ssh", "-F", config] if config else ["ssh"]


def settings_of(node: Node, config: str | None) -> Settings:
    """Ask `ssh -G`. A node that the configuration gives no HostName is reached at its address in
    the inventory.
    """
    command = [*ssh(config), "-G", "--", node.name]
    try:
        done = subprocess.run(
            command,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise UsageError("no ssh program", "apt-get install openssh-client") from None
    except subprocess.TimeoutExpired:
        raise UsageError(
            f"'ssh -G {node.name}' did not end within {SECONDS} s",
            "see the Match lines of your ssh configuration",
        ) from None
    if done.returncode:
        said = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise UsageError(f"ssh cannot read its configuration: {said[0]}", "see 'ssh -G'")
    return parse(node, done.stdout, config)


def parse(node: Node, text: str, config: str | None) -> Settings:
    values: dict[str, list[str]] = {}
    for line in text.splitlines():
        name, _, value = line.partition(" ")
        values.setdefault(name, []).append(value)

    def one(name: str, default: str = "") -> str:
        return values.get(name, [default])[0]

    host = one("hostname", node.name)
    host = node.address if host == node.name else host
    port, user = int(one("port", "22")), one("user")
    files = shlex.split(one("userknownhostsfile")) + shlex.split(one("globalknownhostsfile"))
    alias = one("hostkeyalias", "none")
    return Settings(
        node=node.name,
        host=host,
        port=port,
        user=user,
        identities=tuple(
            path
            for each in values.get("identityfile", ())
            if os.path.isfile(path := os.path.expanduser(each))
        ),
        known_hosts=tuple(
            path for each in files if os.path.isfile(path := os.path.expanduser(each))
        ),
        known_hosts_file=os.path.expanduser(files[0])
        if files
        else os.path.expanduser("~/.ssh/known_hosts"),
        key_alias=None if alias == "none" else alias,
        proxy=proxy_command(
            one("proxyjump", "none"), one("proxycommand", "none"), host, port, user, config
        ),
        config=config,
    )


def proxy_command(
    jump: str, command: str, host: str, port: int, user: str, config: str | None
) -> str | None:
    """The way through a jump host is OpenSSH's own, which verifies the jump host's key too."""
    if jump != "none":
        first, _, last = jump.rpartition(",")
        words = [*ssh(config), "-o", "BatchMode=yes", *(["-J", first] if first else [])]
        return shlex.join(
            [*words, "-W", f"[{host}]:{port}", last if "://" in last else f"ssh://{last}"]
        )
    if command != "none":
        return (
            command.replace("%h", host)
            .replace("%p", str(port))
            .replace("%r", user)
            .replace("%%", "%")
        )
    return None
