"""The file that the OSD probe reads."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.errors import NotFound
from cephctl.tenants.layout import Tenants

SIZE = 4096


def create(path: str, tenants: Tenants) -> Iterator[bool]:
    """Whether it was created. It is a hole of one block that only root may read: reading it needs
    an OSD anyway.
    """
    try:
        tenants.fs.entry(path)
        yield False
    except NotFound:
        tenants.fs.create(path, SIZE, 0o600)
        yield True
