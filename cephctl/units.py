"""Sizes, counts and ages: read from people, and written for them."""

from __future__ import annotations

import re
from datetime import datetime

SIZE_FORMS = (
    "a number of bytes or a number with K, M, G, T, P or E (powers of 1024): 500M, 10G, 1.5T, "
    "10737418240"
)
LARGEST = 2**63 - 1
UNITS = "KMGTPE"
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*(?:([KMGTPE])(?:i?B|i)?|B)?", re.IGNORECASE)
_DECIMAL_LOOK = re.compile(r"[\d.]+\s*[KMGTPE]B", re.IGNORECASE)


def parse_size(text: str) -> int:
    """Bytes, from what people write; units are powers of 1024, as in Ceph.

    >>> parse_size("10G"), parse_size("1.5T"), parse_size("500MiB"), parse_size("0")
    (10737418240, 1649267441664, 524288000, 0)
    >>> parse_size("10GB")
    Traceback (most recent call last):
    ValueError: '10GB' is ambiguous; write 10G or 10GiB, which are powers of 1024
    """
    text = text.strip()
    if _DECIMAL_LOOK.fullmatch(text):
        short = text[:-1].rstrip()
        raise ValueError(
            f"'{text}' is ambiguous; write {short} or {short}iB, which are powers of 1024"
        )
    match = _SIZE.fullmatch(text)
    if not match:
        raise ValueError(f"'{text}' is not a size; write {SIZE_FORMS}")
    number, unit = match.groups()
    if not unit and "." in number:
        raise ValueError(f"'{text}' is not a whole number of bytes; write {SIZE_FORMS}")
    whole, _, fraction = number.partition(".")
    factor = 1 << 10 * (UNITS.index(unit.upper()) + 1) if unit else 1
    size: int = int(whole) * factor + int(fraction or 0) * factor // 10 ** len(fraction)
    if not size and number.strip("0."):
        raise ValueError(f"'{text}' is less than one byte; write {SIZE_FORMS}")
    if size > LARGEST:
        raise ValueError(f"'{text}' is more than CephFS can hold in a quota (8 EiB less one byte)")
    return size


def format_size(size: int) -> str:
    """Bytes for people, in IEC units with at most one decimal.

    >>> format_size(0), format_size(1023), format_size(10 << 30), format_size(1536 << 20)
    ('0 B', '1023 B', '10 GiB', '1.5 GiB')
    >>> format_size((1 << 30) - 1)
    '1 GiB'
    """
    if size < 1024:
        return f"{size} B"
    value = float(size)
    for unit in UNITS:
        value /= 1024
        if round(value, 1) < 1024 or unit == UNITS[-1]:
            break
    return f"{value:.1f}".removesuffix(".0") + f" {unit}iB"


def format_ago(then: datetime, now: datetime) -> str:
    """How long ago, in the largest whole unit.

    >>> from datetime import timedelta
    >>> now = datetime(2026, 1, 2)
    >>> [format_ago(now - timedelta(seconds=s), now) for s in (0, 59, 61, 7200, 200000)]
    ['now', '59 s ago', '1 min ago', '2 h ago', '2 d ago']
    """
    seconds = int((now - then).total_seconds())
    if seconds <= 0:
        return "now"
    return f"{format_duration(seconds)} ago"


def format_duration(seconds: float) -> str:
    """Seconds in the largest whole unit.

    >>> format_duration(5), format_duration(3700)
    ('5 s', '1 h')
    """
    for unit, length in (("d", 86400), ("h", 3600), ("min", 60)):
        if seconds >= length:
            return f"{int(seconds // length)} {unit}"
    return f"{int(seconds)} s"


def percent(used: int, limit: int) -> float | None:
    """Used of limit in percent, one decimal; None without a limit.

    >>> percent(1, 3), percent(5, 0)
    (33.3, None)
    """
    return round(100 * used / limit, 1) if limit else None


def version_numbers(text: str) -> tuple[int, int]:
    """The first two numbers of a version; 0 for what is not there.

    >>> version_numbers("6.1.0-56-amd64"), version_numbers("252"), version_numbers("")
    ((6, 1), (252, 0), (0, 0))
    """
    numbers = [int(word) for word in re.findall(r"\d{1,9}", text)[:2]]
    return (numbers[0] if numbers else 0, numbers[1] if len(numbers) > 1 else 0)
