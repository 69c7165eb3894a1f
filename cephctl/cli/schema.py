"""cephctl schema"""

from __future__ import annotations

import json

import click

from cephctl.cli.options import Verb
from cephctl.schema import ANSWERS, schema


def complete_commands(ctx: click.Context, parameter: click.Parameter, incomplete: str) -> list[str]:
    """The next word of a command that has a schema."""
    before = ctx.params.get("command") or ()
    words = [each.split() for each in ANSWERS]
    fits = [each for each in words if tuple(each[: len(before)]) == tuple(before)]
    following = dict.fromkeys(each[len(before)] for each in fits if len(each) > len(before))
    return [each for each in following if each.startswith(incomplete)]


@click.command("schema", cls=Verb)
@click.argument("command", metavar="[NOUN VERB]", nargs=-1, shell_complete=complete_commands)
def group(command: tuple[str, ...]) -> str:
    """Print the JSON Schema of a command's answer.

    It describes what `--format json` prints (draft 2020-12). Without NOUN VERB it prints the
    schemas of all commands, by command. cephctl-json(7) has the same as text.

    \b
    Examples:
      cephctl schema tenant usage
      cephctl schema | jq '.commands | keys'
    """
    found = schema(" ".join(command) or None)
    return json.dumps(found, indent=2, ensure_ascii=False) + "\n"
