"""Commands that fix something, as data: where each runs, its argv, whether it changes anything."""

from __future__ import annotations

import shlex
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from cephctl.text import printable

NODE, PATH, UNIT, MONITOR, ENTITY = "NODE", "PATH", "UNIT", "MONITOR", "ENTITY"
"""Words of an argv that stand for a name, as manuals write them; `filled` puts the name in."""


@dataclass(frozen=True)
class Command:
    """One command. It runs on this machine, or as root on a web node (`node`), over ssh.

    `feed` is a command of this machine whose output goes to its stdin.
    """

    argv: tuple[str, ...]
    changes: bool = True
    node: str | None = None
    feed: tuple[str, ...] = ()


Remedy = tuple[Command, ...]


def here(*argv: str, changes: bool = True) -> Command:
    return Command(argv, changes)


def on_node(*argv: str, changes: bool = True, feed: Sequence[str] = ()) -> Command:
    """A command for the node that the finding is about."""
    return Command(argv, changes, NODE, tuple(feed))


def write_file(path: str, *lines: str) -> Remedy:
    """Write a file on the node. No text becomes a part of the shell's program."""
    script = 'mkdir -p "$(dirname "$1")" && path=$1 && shift && printf "%s\\n" "$@" >"$path"'
    return (on_node("sh", "-c", script, "sh", path, *lines),)


def filled(remedy: Remedy, names: dict[str, str]) -> Remedy:
    """The commands with names in the places of the words that stand for them."""

    def word(text: str) -> str:
        return names.get(text, text)

    return tuple(
        replace(
            each,
            argv=tuple(map(word, each.argv)),
            node=word(each.node) if each.node else None,
        )
        for each in remedy
    )


def shell(remedy: Iterable[Command], ssh: Callable[[str], Sequence[str]]) -> str:
    """The commands as one line for a shell; `ssh` gives the argv that leads to a node.

    Every value is quoted once for each shell that reads it: this machine's, and the node's behind
    ssh.

    >>> print(shell([on_node("touch", "/a b"), here("true")], lambda node: ["ssh", "-n", node]))
    ssh -n NODE 'sudo touch '"'"'/a b'"'"'' && true
    """
    return " && ".join(line(each, ssh) for each in remedy)


def line(command: Command, ssh: Callable[[str], Sequence[str]]) -> str:
    argv: Sequence[str] = command.argv
    if command.node:
        words = [word for word in ssh(command.node) if not (command.feed and word == "-n")]
        argv = [*words, shlex.join(["sudo", *argv])]
    text = printable(shlex.join(argv))
    return f"{shlex.join(command.feed)} | {text}" if command.feed else text
