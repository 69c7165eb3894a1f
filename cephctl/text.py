"""Text that is safe to show."""

from __future__ import annotations

import unicodedata


def printable(text: str) -> str:
    r"""Text that a terminal takes no orders from.

    >>> printable("a\x1b[2Jb")
    'a\\x1b[2Jb'
    """
    text = text.encode(errors="surrogateescape").decode(errors="backslashreplace")
    return "".join(
        c if unicodedata.category(c) not in ("Cc", "Cf") else c.encode("unicode_escape").decode()
        for c in text
    )
