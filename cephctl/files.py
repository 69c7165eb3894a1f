"""Write files so that a crash leaves the old one or the new one, and nobody else can read a secret meanwhile."""

from __future__ import annotations

import contextlib
import os

from cephctl.errors import CephctlError, Refused


def create_file(path: str, text: str, mode: int, hint: str | None = None) -> None:
    """Create a file that does not exist yet; Refused, with the hint, when it does."""
    try:
        os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
        _write(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), text)
    except FileExistsError:
        raise Refused(f"{path} already exists; nothing was changed", hint) from None
    except OSError as error:
        raise CephctlError(f"cannot write {path}: {error.strerror}") from None


def replace_file(path: str, text: str, mode: int) -> None:
    """Write a file, or replace one as a whole. A device such as /dev/stdout is written to."""
    part = f"{path}.{os.getpid()}.part"
    try:
        if os.path.exists(path) and not os.path.isfile(path):
            _write(os.open(path, os.O_WRONLY), text)
            return
        _write(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode), text)
        os.replace(part, path)
    except OSError as error:
        with contextlib.suppress(OSError):
            os.unlink(part)
        raise CephctlError(f"cannot write {path}: {error.strerror}") from None


def _write(descriptor: int, text: str) -> None:
    with open(descriptor, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write(text)
        file.flush()
        with contextlib.suppress(OSError):
            os.fsync(descriptor)
