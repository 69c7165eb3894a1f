"""Write the man page and the completion scripts from the commands themselves: man/generate.py
[TARGET-FOLDER].
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click

from cephctl.cli import root
from cephctl.cli.completion import script
from cephctl.doctor.check import load_checks
from cephctl.doctor.report import remedy_of
from cephctl.doctor.verdict import UNREADABLE, UNREADABLE_EXPLANATION, UNREADABLE_TITLE
from cephctl.schema import ANSWERS, record_of, schema

HERE = Path(__file__).resolve().parent
CHECKS_INTRODUCTION = """\
cephctl node doctor gathers facts on the web nodes and in the cluster, and evaluates them with these
checks. For every node one finding is the primary cause: of the worst the deepest. The order is
login, clock, network, authentication, blocklist, MDS, OSD, local configuration. The other findings
are listed as consequences, or as warnings of later failures. If a check cannot read its facts, the
finding is FACTS_UNREADABLE.

Codes are never renamed. cephctl node doctor --explain CODE prints one of these texts. --only and
--skip select checks. In a remedy, NODE, PATH, UNIT and MONITOR stand for the names.
"""
JSON_INTRODUCTION = """\
With --format json or yaml, each command answers with one record or with a list of records. All
fields of a record are always there. Sizes are in bytes, durations in seconds. A field is null where
nothing is known or set; the description of the record says what that means. Warnings, notes and
errors are on stderr.

After the first release fields are added, and never renamed or removed. cephctl schema NOUN VERB
prints the same as JSON Schema.
"""
COMMON = frozenset({"--format", "--columns", "--yes", "--dry-run"})
"""Options of every command, or of every one that changes something: they stand once in the page."""
SHELL_FILES = {"bash": "cephctl.bash", "zsh": "_cephctl", "fish": "cephctl.fish"}


def main(target: Path) -> None:
    """Write everything that is generated below a folder."""
    for name, text in generated().items():
        file = target / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def generated() -> dict[str, str]:
    """File name → content."""
    files = {f"completions/{name}": script(shell) for shell, name in SHELL_FILES.items()}
    return files | {
        "man/cephctl.8": man_page(),
        "man/cephctl-json.7": json_page(),
        "man/cephctl-doctor-checks.7": checks_page(),
    }


def man_page() -> str:
    lines = ['.TH CEPHCTL 8 "" "cephctl" "System Administration"', ".SH NAME"]
    lines.append("cephctl \\- operate CephFS for a web-hosting platform")
    lines += [
        ".SH SYNOPSIS",
        ".B cephctl",
        "[\\fIOPTION\\fR]... \\fINOUN VERB\\fR [\\fIARGUMENT\\fR]...",
    ]
    lines += [".SH DESCRIPTION", *paragraphs(root.help or "")]
    lines += [".SH COMMANDS"]
    context = click.Context(root, info_name="cephctl")
    for path, command in verbs(root, context):
        lines += command_section(path, command)
    lines += [
        ".SH OPTIONS",
        (
            "They may stand before the noun or after the verb. --yes and --dry-run are for "
            "commands that change something."
        ),
        *options(root),
    ]
    lines.append((HERE / "cephctl.inc").read_text().rstrip())
    return "\n".join(lines) + "\n"


def checks_page() -> str:
    """The doctor's checks, from their docstrings."""
    lines = ['.TH CEPHCTL-DOCTOR-CHECKS 7 "" "cephctl" "System Administration"', ".SH NAME"]
    lines.append("cephctl\\-doctor\\-checks \\- what cephctl node doctor looks for")
    lines += [".SH DESCRIPTION", *paragraphs(CHECKS_INTRODUCTION)]
    lines.append(".SH CHECKS")
    for check in load_checks().values():
        lines += [
            f".SS {escape(check.code)} ({check.severity.name})",
            f"\\fI{escape(check.title)}.\\fR",
            *paragraphs(check.explanation),
        ]
        if check.remedy:
            lines += [".PP", "Remedy:", ".BR", f"\\fB{escape(remedy_of(check))}\\fR"]
    lines += [f".SS {escape(UNREADABLE)} (UNKNOWN)", f"\\fI{escape(UNREADABLE_TITLE)}.\\fR"]
    lines += [*paragraphs(UNREADABLE_EXPLANATION), ".SH SEE ALSO", ".BR cephctl (8)"]
    return "\n".join(lines) + "\n"


def json_page() -> str:
    """The fields of every JSON answer, from the records."""
    lines = ['.TH CEPHCTL-JSON 7 "" "cephctl" "System Administration"', ".SH NAME"]
    lines.append("cephctl\\-json \\- the fields of cephctl's JSON answers")
    lines += [".SH DESCRIPTION", *paragraphs(JSON_INTRODUCTION), ".SH ANSWERS"]
    for command, answers in ANSWERS.items():
        lines += [".TP", f"\\fB{escape(command)}\\fR"]
        lines.append(escape(", or ".join(map(answer_words, answers)) + "."))
    lines.append(".SH RECORDS")
    for name, definition in sorted(schema()["$defs"].items()):
        lines += [f".SS {escape(name)}", *paragraphs(definition["description"])]
        for field, kind in definition["properties"].items():
            lines += [".TP", f"\\fB{escape(field)}\\fR", escape(type_words(kind) + ".")]
    lines += [".SH SEE ALSO", ".BR cephctl (8)"]
    return "\n".join(lines) + "\n"


def answer_words(answer: str) -> str:
    name = record_of(answer).__name__
    return f"a list of {name}" if answer.startswith("[") else name


def type_words(kind: dict[str, Any]) -> str:
    """A field's type in words.

    >>> type_words({"anyOf": [{"type": "integer"}, {"type": "null"}]})
    'integer or null'
    """
    if "anyOf" in kind:
        return " or ".join(map(type_words, kind["anyOf"]))
    if "$ref" in kind:
        return str(kind["$ref"]).rpartition("/")[2]
    if "enum" in kind:
        return f"one of {', '.join(kind['enum'])}"
    if kind["type"] == "array":
        return f"list of {type_words(kind['items'])}"
    return "time (RFC 3339, UTC)" if "format" in kind else str(kind["type"])


def verbs(group: click.Group, context: click.Context) -> Iterator[tuple[str, click.Command]]:
    """Every command that does something, with its full name."""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from verbs(command, below)
        else:
            yield below.command_path, command


def command_section(path: str, command: click.Command) -> Iterator[str]:
    arguments = " ".join(metavar(p) for p in command.params if isinstance(p, click.Argument))
    yield f".SS {escape(f'{path} {arguments}'.strip())}"
    yield from paragraphs(command.help or "")
    yield from options(command, leave_out=COMMON)


def metavar(argument: click.Argument) -> str:
    return argument.metavar or (argument.name or "").upper()


def options(command: click.Command, leave_out: frozenset[str] = frozenset()) -> Iterator[str]:
    """The options of a command but for those that every command has."""
    for parameter in command.params:
        if not isinstance(parameter, click.Option) or parameter.hidden or not parameter.help:
            continue
        if not leave_out & set(parameter.opts):
            value = "" if parameter.is_flag else f" \\fI{escape(value_name(parameter))}\\fR"
            yield ".TP"
            yield f"\\fB{escape(', '.join(parameter.opts))}\\fR{value}"
            yield escape(parameter.help)


def value_name(option: click.Option) -> str:
    if option.metavar:
        return option.metavar
    return (
        "|".join(option.type.choices)
        if isinstance(option.type, click.Choice)
        else option.type.name.upper()
    )


def paragraphs(text: str) -> Iterator[str]:
    r"""Help text as roff; a block after \\b keeps its lines."""
    for block in re.split(r"\n\s*\n", inspect_clean(text)):
        if block.startswith("\b"):
            yield from (".PP", ".nf", *(escape(line) for line in block.splitlines()[1:]), ".fi")
        else:
            yield from (".PP", escape(" ".join(block.split())))


def inspect_clean(text: str) -> str:
    from inspect import cleandoc

    return cleandoc(text)


def escape(text: str) -> str:
    text = text.replace("\\", "\\e").replace("-", "\\-")
    return re.sub(r"^([.'])", r"\\&\1", text)


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else HERE.parent)
