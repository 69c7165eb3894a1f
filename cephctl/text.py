"""Text that is safe to show."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

UNSAFE = ("Cc", "Cf", "Cs", "Zl", "Zp")
"""Categories that order a terminal about, reorder text, or end a line."""


def printable(text: str) -> str:
    r"""Text that a terminal takes no orders from, on one line.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    if text.isascii() and text.isprintable():
        return text
    return "".join(c if unicodedata.category(c) not in UNSAFE else escaped(c) for c in text)


def escaped(character: str) -> str:
    r"""A byte that was no UTF-8 as \xNN, the rest as Python writes it."""
    number = ord(character)
    if 0xDC80 <= number <= 0xDCFF:
        return f"\\x{number - 0xDC00:02x}"
    return character.encode("unicode_escape").decode()


def near(word: str, known: Iterable[str], count: int = 3) -> list[str]:
    """The known names that are spelled like a word, the likest first."""
    import difflib

    return difflib.get_close_matches(word, list(known), n=count)
