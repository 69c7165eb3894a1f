"""The file that the OSD probe reads."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.errors import NotFound
from cephctl.tenants.layout import Tenants

SIZE = 4096


def create(path: str, tenants: Tenants) -> Iterator[bool]:
    """Whether it was created. A hole of one block: reading it asks an OSD all the same."""
    try:
        tenants.fs.entry(path)
        yield False
    except NotFound:
        tenants.fs.create(path, SIZE, 0o600)
        yield True
