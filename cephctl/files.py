"""Write files on this machine safely: whole or not there at all, on disk when the call returns."""

from __future__ import annotations

import contextlib
import os
import stat
import tempfile
from collections.abc import Iterator

from cephctl.errors import CephctlError, Refused

PRIVATE = 0o600
"""The owner's alone: what may hold a key, or names and addresses."""


def create(path: str, text: str, mode: int = PRIVATE) -> None:
    """Write a new file. Raises FileExistsError when something has that name, and other OSErrors."""
    part = unfinished(path, text, mode)
    try:
        # Unlike a rename, a link never replaces what is there.
        os.link(part, path)
    finally:
        os.unlink(part)
    sync_directory(path)


def replace(path: str, text: str, mode: int = PRIVATE) -> None:
    """Write a file, in the place of one that is there. Raises OSError.

    A symbolic link, a device or a pipe (/dev/stdout) is not replaced: it is written to.
    """
    if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
        with open(path, "w") as file:
            file.write(text)
        return
    part = unfinished(path, text, mode)
    try:
        os.rename(part, path)
    except OSError:
        os.unlink(part)
        raise
    sync_directory(path)


def unfinished(path: str, text: str, mode: int) -> str:
    """The content in a file beside `path`, under a name that cannot be guessed."""
    directory, name = os.path.split(path)
    handle, part = tempfile.mkstemp(prefix=f".{name}.", dir=directory or ".")
    try:
        with open(handle, "w") as file:
            file.write(text)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
    except BaseException:
        os.unlink(part)
        raise
    return part


def sync_directory(path: str) -> None:
    """Put the name of a file on disk, too."""
    directory = os.open(os.path.dirname(path) or ".", os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


@contextlib.contextmanager
def writing(
    path: str, when_it_exists: str | None = None, failure: type[CephctlError] = CephctlError
) -> Iterator[None]:
    """Turn an OSError into one line that names the file; `when_it_exists` is the hint then."""
    try:
        yield
    except FileExistsError:
        raise Refused(f"{path} already exists; nothing was changed", when_it_exists) from None
    except OSError as error:
        raise failure(f"cannot write {path}: {error.strerror or error}") from None
