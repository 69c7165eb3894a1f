"""Every command that asks the cluster, as arguments."""

from __future__ import annotations

READS = (
    ("tenant", "list"),
    ("tenant", "show", "acme"),
    ("tenant", "usage"),
    ("tenant", "quota", "get"),
    ("mds", "status"),
    ("mds", "sessions"),
    ("node", "sessions"),
    ("keys", "list"),
    ("keys", "show"),
    ("keys", "caps", "show"),
    ("keys", "caps", "diff"),
    ("cluster", "blocklist", "list"),
    ("cluster", "status"),
)
CHANGES = (
    ("tenant", "quota", "set", "acme", "10G", "--yes"),
    ("tenant", "quota", "clear", "acme", "--yes"),
)
ALL = (*READS, *CHANGES)
TENANT = tuple(command for command in ALL if command[0] == "tenant")


def name(command: tuple[str, ...]) -> str:
    return "-".join(word for word in command if word.isalpha())
