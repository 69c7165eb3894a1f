from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cephctl.units import LARGEST, format_size, parse_size

sizes = st.integers(0, LARGEST)


@given(sizes)
def test_plain_bytes_are_exact(size: int) -> None:
    assert parse_size(str(size)) == size


@given(st.integers(0, 2**20), st.sampled_from("KMGTP"))
def test_units_are_powers_of_1024(number: int, unit: str) -> None:
    if number * 1024 ** ("KMGTP".index(unit) + 1) > LARGEST:
        return
    expected = number * 1024 ** ("KMGTP".index(unit) + 1)
    assert {
        parse_size(f"{number}{form}") for form in (unit, unit.lower(), f"{unit}i", f"{unit}iB")
    } == {expected}


@given(st.integers(0, 7 << 60))
def test_what_is_shown_is_within_a_twentieth(size: int) -> None:
    shown = parse_size(format_size(size).replace(" ", ""))
    assert abs(shown - size) <= max(size / 20, 0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "G",
        "-1",
        "10X",
        "1.5",
        "1e3",
        "ten",
        "10 G B",
        "0x10",
        "10GB",
        "8E",
        "9999999999E",
        "1..5G",
        "0.0001K",
    ],
)
def test_bad_sizes_are_refused_with_the_text(text: str) -> None:
    with pytest.raises(ValueError, match=r"size|ambiguous|hold|whole|less"):
        parse_size(text)


def test_fractions() -> None:
    assert parse_size("1.5T") == 1649267441664
    assert parse_size("0.5K") == 512
