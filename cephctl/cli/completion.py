"""cephctl completion"""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from cephctl.cli.options import Noun

VARIABLE = "_CEPHCTL_COMPLETE"


@click.group("completion", cls=Noun)
def group() -> None:
    """Shell completion for bash, zsh and fish.

    \b
    Examples:
      cephctl completion bash >/etc/bash_completion.d/cephctl
      cephctl completion zsh >/usr/local/share/zsh/site-functions/_cephctl
      cephctl completion fish >~/.config/fish/completions/cephctl.fish
    """


def script(shell: str) -> str:
    """The script that lets a shell ask cephctl itself what can follow."""
    kind = get_completion_class(shell)
    assert kind is not None
    completer = kind(click.Command("cephctl"), {}, "cephctl", VARIABLE)
    # Not source(): for bash it would run the bash of this machine to see its version.
    return completer.source_template % completer.source_vars()


@group.command()
def bash() -> str:
    """Print the script for bash 4.4 and newer."""
    return script("bash")


@group.command()
def zsh() -> str:
    """Print the script for zsh."""
    return script("zsh")


@group.command()
def fish() -> str:
    """Print the script for fish."""
    return script("fish")
