"""A file is written whole or not at all, and nothing that is there is lost by accident."""

from __future__ import annotations

import os
import stat
from pathlib import Path

import pytest

from cephctl.errors import CephctlError, Refused
from cephctl.files import create, replace, writing


def mode(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


@pytest.mark.parametrize("umask", [0o000, 0o077])
def test_create_gives_the_mode_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    before = os.umask(umask)
    try:
        create(str(tmp_path / "secret"), "a")
        create(str(tmp_path / "config"), "b", 0o644)
    finally:
        os.umask(before)
    assert (mode(tmp_path / "secret"), mode(tmp_path / "config")) == (0o600, 0o644)


def test_create_refuses_what_exists_and_leaves_it_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    with pytest.raises(FileExistsError):
        create(str(path), "after")
    dangling = tmp_path / "link"
    dangling.symlink_to(tmp_path / "nothing")
    with pytest.raises(FileExistsError):
        create(str(dangling), "after")
    assert path.read_text() == "before"
    assert sorted(os.listdir(tmp_path)) == ["file", "link"]


def test_replace_changes_content_and_mode_in_one_step(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_text("before")
    path.chmod(0o644)
    with path.open() as reader:
        replace(str(path), "after")
        assert reader.read() == "before"
    assert (path.read_text(), mode(path)) == ("after", 0o600)
    assert os.listdir(tmp_path) == ["file"]


def test_replace_writes_to_a_link_or_a_pipe_and_does_not_replace_it(tmp_path: Path) -> None:
    target, link = tmp_path / "target", tmp_path / "link"
    link.symlink_to(target)
    replace(str(link), "text")
    assert (link.is_symlink(), target.read_text()) == (True, "text")
    reader, writer = os.pipe()
    replace(f"/dev/fd/{writer}", "text")
    assert os.read(reader, 10) == b"text"


def test_nothing_is_left_when_it_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "directory").mkdir()
    for write in (create, replace):
        with pytest.raises(OSError, match=r"directory|exists"):
            write(str(tmp_path / "directory"), "text")
    assert os.listdir(tmp_path) == ["directory"]


def test_errors_name_the_file(tmp_path: Path) -> None:
    path = str(tmp_path / "nowhere" / "file")
    with pytest.raises(CephctlError, match=f"cannot write {path}: No such file"), writing(path):
        create(path, "text")
    create(str(tmp_path / "file"), "text")
    with pytest.raises(Refused, match="already exists") as refused, writing("x", "edit it"):
        create(str(tmp_path / "file"), "text")
    assert refused.value.hint == "edit it"
