"""The lab's own network namespace: a bridge with the storage address, and a tap for each web node."""

from __future__ import annotations

from pathlib import Path

from tests.lab.places import (
    BRIDGE,
    BRIDGE_MAC,
    INSIDE,
    NAMESPACE,
    NODES,
    OPERATOR,
    STORAGE,
    WEB_NETWORK,
)
from tests.lab.shell import LabError, run


def tap(node: str) -> str:
    return f"tap{list(NODES).index(node)}"


def up() -> None:
    """Make the namespace if it is not there. Nothing in it leads outside."""
    if is_up():
        return
    if not Path("/dev/net/tun").exists():
        raise LabError("/dev/net/tun is missing; load the tun module (modprobe tun)")
    run("ip", "netns", "add", NAMESPACE)
    inside(f"link set lo up\nlink add {BRIDGE} address {BRIDGE_MAC} type bridge forward_delay 0\naddress add {STORAGE}/24 dev {BRIDGE}\naddress add {OPERATOR}/24 dev {BRIDGE}\nlink set {BRIDGE} up\nroute add {WEB_NETWORK} dev {BRIDGE} src {OPERATOR}")  # fmt: skip
    for node in NODES:
        inside(f"tuntap add {tap(node)} mode tap\nlink set {tap(node)} master {BRIDGE} up")


def inside(commands: str) -> None:
    run(*INSIDE, "ip", "-batch", "-", stdin=commands)


def down() -> None:
    if is_up():
        run("ip", "netns", "del", NAMESPACE)


def is_up() -> bool:
    return Path(f"/run/netns/{NAMESPACE}").exists()


def cut(node: str) -> None:
    """Take a node's cable out: its packets vanish, as in a partition."""
    inside(f"link set {tap(node)} down")


def heal(node: str) -> None:
    inside(f"link set {tap(node)} up")
