"""A firewall for faults."""

from __future__ import annotations

from tests.lab.faults.fault import Scene


def fence(scene: Scene, ports: str) -> None:
    """Refuse what the node sends to these TCP ports."""
    rules = (
        "table inet fence { chain out { type filter hook output priority 0; tcp dport "
        f"{ports} reject with tcp reset; }}; }}"
    )
    scene.on(f"echo '{rules}' | nft -f -")


def unfence(scene: Scene) -> None:
    scene.on("nft delete table inet fence")
