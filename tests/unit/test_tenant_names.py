from __future__ import annotations

import posixpath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cephctl.errors import UsageError
from cephctl.tenants.layout import check_name

ANY = st.text(max_size=300) | st.sampled_from(
    ["..", ".", "", ".snap", "a/../..", "/", "a\0b", "\x1b[2J"]
)


@given(ANY, st.sampled_from(["/", "/tenants", "/a/b"]))
def test_no_name_leads_out_of_the_root(name: str, root: str) -> None:
    try:
        path = posixpath.join(root, check_name(name))
    except UsageError as error:
        assert "\x1b" not in error.message
        assert "\n" not in error.message
        return
    assert posixpath.dirname(posixpath.normpath(path)) == root
    assert posixpath.basename(path) == name
    assert "\0" not in path


@pytest.mark.parametrize("name", ["acme", "a.b", "ACME-1_x", "münchen", "x" * 255, "-", "--all"])
def test_ordinary_names_pass(name: str) -> None:
    assert check_name(name) == name


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("", "empty"),
        ("a/b", "slash"),
        ("..", "dot"),
        ("x" * 256, "255"),
        ("é" * 128, "255"),
        ("a\tb", "control"),
    ],
)
def test_bad_names_say_why(name: str, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        check_name(name)
