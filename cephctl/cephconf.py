"""Ceph's file format, of ceph.conf and keyrings alike: [sections] of name = value."""

from __future__ import annotations

import re
from collections.abc import Mapping

Sections = Mapping[str, Mapping[str, str]]


class MalformedFile(ValueError):
    """A file that librados would refuse, abort or hang on; the message names the line and quotes
    nothing of it.
    """


def plain_text(content: bytes) -> str:
    """The file as text, without its comments.

    librados aborts the process on a byte order mark and hangs on a NUL byte (measured, 16.2.15).
    """
    if content.startswith((b"\xef\xbb\xbf", b"\xff\xfe", b"\xfe\xff")):
        raise MalformedFile("it begins with a byte order mark; save it as plain ASCII")
    if b"\0" in content:
        raise MalformedFile("it has a NUL byte; it is no text file")
    # Comments may hold anything: librados does not read them.
    text = without_comments(content.decode("latin-1"))
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.isascii():
            raise MalformedFile(f"line {number} has a character that is not ASCII")
    return text


def without_comments(text: str) -> str:
    r"""The same lines, each up to its comment.

    >>> without_comments("a # one\n; two\nb;c")
    'a\n\nb;c'
    """
    return re.sub(r"(?m)(^|[ \t])[#;].*$", "", text)


def parse_sections(text: str) -> Sections:
    r"""Sections by name. Blanks, dashes and underscores in names are one, case and indentation mean
    nothing.

    >>> parse_sections("[global]\n  mon_host = a, \\\n  b  # two\n[client.x]\n\tKey Ring = /k\n")
    {'global': {'mon host': 'a,     b'}, 'client.x': {'key ring': '/k'}}
    """
    sections: dict[str, dict[str, str]] = {}
    section = ""
    for number, raw in enumerate(re.sub(r"\\\n", "  ", text).splitlines(), start=1):
        line = without_comments(raw).strip()
        if not line:
            continue
        if header := re.fullmatch(r"\[\s*(.+?)\s*\]", line):
            section = header[1]
            sections.setdefault(section, {})
            continue
        name, equals, value = line.partition("=")
        if not section or not equals:
            raise MalformedFile(f"line {number} is neither a [section] nor name = value")
        sections[section][normal(name)] = value.strip().strip('"')
    return sections


def normal(name: str) -> str:
    return re.sub(r"[\s_-]+", " ", name.strip()).lower()


def lookup(sections: Sections, entity: str, option: str) -> str | None:
    """An option as an entity sees it: its own section, then its type's, then [global]."""
    for section in (entity, entity.partition(".")[0], "global"):
        if option in sections.get(section, {}):
            return sections[section][option]
    return None
