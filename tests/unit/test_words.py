"""What users read is short sentences with the field's own nouns."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import click

from cephctl.cli import root
from cephctl.doctor.check import load_checks
from tests.command import PROJECT

MAX_WORDS = 25
# Words that say less than the field's own, and what to write instead.
INSTEAD = {
    r"(?<!there )\bis no (?!longer|such)\w": "is not a …, invalid …",
    r"\bat work\b": "in progress, running",
    r"\bhalf-way\b": "partially applied",
    r"\bgive up\b|\bgiven up\b": "abort; timed out",
    r"\blives on\b": "uses, authenticated with",
    r"\bstands? on\b": "depends on",
    r"\bbare directory\b|\blies? in the\b": "the unmounted mount point",
    r"\bstrangers?\b": "clients not in the inventory, processes outside services",
    r"\binquest\b": "timeout diagnosis",
    r"\bfor ever\b": "permanently",
    r"\ball the same\b": "anyway",
    r"\bas a rule\b": "usually",
    r"\bby itself\b": "automatically, on its own",
    r"\bsomebody\b|\banybody\b|\bnobody\b": "another client, another operator, no session",
    r"\banew\b": "again",
    r"\bbesides\b": "in addition",
    r"\bfolders?\b": "directory",
    r"\bdependants?\b": "dependent",
    r"\bgo on with\b|\bgoes on\b|\blead (it|everything)\b": "resume, continue",
    r"\bmends?\b": "fix, repair",
}
ERRORS = re.compile(r"(Error|Refused|Failed|Found|Stalled|Unreachable|Stuck|Unanswered)$")


def helps(group: click.Group, context: click.Context) -> Iterator[tuple[str, str]]:
    """Name and text of every help."""
    yield context.command_path, group.help or ""
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        below = click.Context(command, info_name=name, parent=context)
        if isinstance(command, click.Group):
            yield from helps(command, below)
            continue
        yield below.command_path, command.help or ""
        for parameter in command.params:
            if isinstance(parameter, click.Option):
                yield f"{below.command_path} {parameter.opts[0]}", parameter.help or ""


def messages() -> Iterator[tuple[str, str]]:
    """File and text of what errors are made with."""
    for file in sorted((PROJECT / "cephctl").rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text())):
            if isinstance(node, ast.Call) and ERRORS.search(name_of(node.func)):
                for argument in node.args:
                    if text := text_of(argument):
                        yield f"{file.name}:{node.lineno}", text


def name_of(function: ast.expr) -> str:
    return function.id if isinstance(function, ast.Name) else ""


def text_of(value: ast.expr) -> str:
    """A literal, with X for what is filled in."""
    if isinstance(value, ast.Constant):
        return value.value if isinstance(value.value, str) else ""
    if isinstance(value, ast.JoinedStr):
        return "".join(text_of(part) or "X" for part in value.values)
    return ""


def checks() -> Iterator[tuple[str, str]]:
    for code, check in load_checks().items():
        yield code, f"{check.title}.\n\n{check.explanation}"


def page(name: str) -> tuple[str, str]:
    """A document without its examples and tables."""
    text = re.sub(r"```.*?```", "", (PROJECT / name).read_text(), flags=re.S)
    return name, "\n".join(line for line in text.splitlines() if not line.startswith("|"))


def documents() -> Iterator[tuple[str, str]]:
    yield from map(page, ("README.md", "CONTRIBUTING.md", "NEWS", "man/cephctl.inc"))


def everything() -> dict[str, str]:
    context = click.Context(root, info_name="cephctl")
    sources = (helps(root, context), messages(), checks(), documents())
    return {f"{place} {text[:30]}": text for source in sources for place, text in source if text}


def sentences(text: str) -> Iterator[str]:
    """The sentences of a text; blocks whose lines are kept are none."""
    for block in re.split(r"\n\s*\n|\n(?=\s*[-*] |\s*\d\. )", text):
        if block.strip().startswith(("\b", "#", ".")):
            continue
        yield from re.split(r"(?<=[.:;!?])\s+|\n  +(?=\S)", " ".join(block.split()))


TEXTS = everything()


def test_the_fields_own_words() -> None:
    found = {
        place: instead
        for place, text in TEXTS.items()
        for pattern, instead in INSTEAD.items()
        if re.search(pattern, re.sub(r"`[^`]*`", "", text), re.IGNORECASE)
    }
    assert not found


def test_sentences_are_short() -> None:
    long = {
        place: sentence
        for place, text in TEXTS.items()
        for sentence in sentences(text)
        if len(sentence.split()) > MAX_WORDS
    }
    assert not long


def test_the_search_finds_what_it_should() -> None:
    assert Path(PROJECT / "README.md").exists()
    assert len(list(messages())) > 150
    assert any(re.search(pattern, "it goes on by itself for ever") for pattern in INSTEAD)
    assert len(list(sentences("One. Two: three\n\n- four\n- five"))) == 5
