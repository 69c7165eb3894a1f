"""Where tenants live: the directories of one root, by name and never outside of it."""

from __future__ import annotations

import posixpath
import unicodedata
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any

from cephctl.ceph.commands import Cluster
from cephctl.ceph.filesystem import Entry, FileSystem, mount
from cephctl.errors import CephctlError, NotFound, UsageError
from cephctl.results import Column, Kind, Record

NAME_MAX = 255


@dataclass(frozen=True)
class Tenant(Record):
    """A tenant's directory. `rbytes` are all bytes below it; owner and mode are the directory's
    own.
    """

    name: str
    rbytes: int
    uid: int
    gid: int
    mode: str

    columns = (
        Column("name", "NAME"),
        Column("rbytes", "USED", Kind.SIZE),
        Column("uid", "UID", Kind.COUNT),
        Column("gid", "GID", Kind.COUNT),
        Column("mode", "MODE"),
    )


def check_name(name: str) -> str:
    """The name, if it can be a tenant's; nothing that passes leads out of the root.

    >>> check_name("acme")
    'acme'
    >>> check_name("../etc")
    Traceback (most recent call last):
    cephctl.errors.UsageError: '../etc' is not a tenant name: it has a slash
    """
    if problem := name_problem(name):
        shown = name.encode("unicode_escape", "backslashreplace").decode()
        raise UsageError(
            f"'{shown[:80]}' is not a tenant name: {problem}",
            "a tenant is one directory in the tenants' root; see 'cephctl tenant list'",
        )
    return name


def name_problem(name: str) -> str | None:
    if not name:
        return "it is empty"
    if "/" in name:
        return "it has a slash"
    if name.startswith("."):
        return "it begins with a dot"
    if len(name.encode(errors="surrogateescape")) > NAME_MAX:
        return f"it is longer than {NAME_MAX} bytes"
    if any(unicodedata.category(character) == "Cc" for character in name):
        return "it has a control character"
    return None


def is_tenant(entry: Entry) -> bool:
    """Every directory of the root whose name is not hidden."""
    return entry.is_directory and name_problem(entry.name) is None


@dataclass(frozen=True)
class Tenants:
    """The tenants of one file system, below `root`."""

    fs: FileSystem
    root: str

    def path(self, name: str) -> str:
        return posixpath.join(self.root, check_name(name))

    def all(self) -> Iterator[Entry]:
        """Every tenant, in the directory's order."""
        try:
            yield from (entry for entry in self.fs.entries(self.root) if is_tenant(entry))
        except NotFound:
            raise self.no_root() from None

    def find(self, name: str) -> Entry:
        """One tenant's directory, or NotFound with the names that look like it."""
        try:
            entry = self.fs.entry(self.path(name))
        except NotFound:
            raise self.unknown(name) from None
        if entry.is_symlink:
            raise UsageError(
                f"{self.path(name)} is a symbolic link, not a tenant's directory",
                "name the directory that it points to",
            )
        if not entry.is_directory:
            raise UsageError(
                f"{self.path(name)} is a file, not a tenant's directory",
                "see 'cephctl tenant list'",
            )
        return entry

    def select(self, names: tuple[str, ...]) -> Iterator[Entry | CephctlError]:
        """The tenants of these names, in this order, or all by name when there are none. What is
        not there comes as its error.
        """
        if not names:
            yield from sorted(self.all(), key=lambda entry: entry.name)
        for name in dict.fromkeys(names):
            try:
                yield self.find(name)
            except (NotFound, UsageError) as error:
                yield error

    def unknown(self, name: str) -> NotFound:
        import difflib

        near = difflib.get_close_matches(name, [entry.name for entry in self.all()], n=3)
        hint = f"did you mean {', '.join(near)}?" if near else "see 'cephctl tenant list'"
        return NotFound(f"no tenant {name} under {self.root}", hint)

    def no_root(self) -> NotFound:
        return NotFound(
            f"no directory {self.root} in file system {self.fs.name}",
            "set 'root' in [tenants] of cephctl.toml",
        )


def with_tenants(
    root: str, question: Callable[[Tenants], Iterator[Any]], cluster: Cluster
) -> Generator[Any, None, None]:
    """Mount the cluster's file system, and ask about the tenants below `root`."""
    with mount(cluster).mounted() as fs:
        yield from question(Tenants(fs, root))


def tenant_names(tenants: Tenants) -> Iterator[str]:
    return (entry.name for entry in tenants.all())


def list_tenants(tenants: Tenants) -> Iterator[Tenant]:
    for entry in sorted(tenants.all(), key=lambda entry: entry.name):
        yield Tenant(entry.name, entry.size, entry.uid, entry.gid, entry.permissions)
