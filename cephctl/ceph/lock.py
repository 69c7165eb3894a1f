"""A lock in the cluster that keeps other operators out, on any machine. Its holder renews it; it
expires otherwise.

It is a RADOS advisory lock on an object of the metadata pool, in a namespace of our own. It is
shared, and its tag is the run: every connection of one run may hold it, and none of another. The
object's content says whose it is, and stays when the lock has run out.
"""

from __future__ import annotations

import errno
import json
from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

from cephctl.ceph.commands import Cluster, denied
from cephctl.ceph.messages import Waiting
from cephctl.errors import CephctlError, Refused, Unanswered, UnexpectedAnswer
from cephctl.parse import Json

if TYPE_CHECKING:
    import rados

NAMESPACE = "cephctl"
LOCK_SECONDS = 60
"""How long a lock outlives the last word of its holder."""
MAY_RENEW = 1
MAX_CONTENT = 1 << 20


@dataclass(frozen=True)
class RunLock:
    """What is locked, by which run on which host, and what others are told of it."""

    name: str
    holder: str
    content: str

    def is_ours(self, told: Mapping[str, Json]) -> bool:
        return holder(told) == self.holder


def holder(told: Mapping[str, Json]) -> str:
    return f"{told.get('run', '?')}@{told.get('host', '?')}"


class LockHeld(Refused):
    """Somebody else's. `told` is what they say of it; `alive` whether they renewed it within
    LOCK_SECONDS.
    """

    def __init__(self, name: str, told: Mapping[str, Json], alive: bool) -> None:
        who = f"{told.get('operator', '?')}@{told.get('host', '?')}"
        what = (
            f"run {told.get('run', '?')} of {who}, begun {told.get('began', 'at an unknown time')},"
        )
        message = (
            f"{what} is rotating {name.removeprefix('run.')} (lock renewed within {LOCK_SECONDS} s)"
            if alive
            else f"{what} was not finished; its lock has expired"
        )
        hint = (
            f"wait for it, or talk to {who}"
            if alive
            else (
                f"on {told.get('host', '?')}: cephctl run resume {told.get('run', 'RUN')}; if "
                "that machine will not come back: --break-lock"
            )
        )
        super().__init__(message, hint)
        self.args = (name, told, alive)
        self.told = told
        self.alive = alive


def held(
    lock: RunLock, question: Callable[[Cluster], Generator[Json]], cluster: Cluster
) -> Generator[Json]:
    """Ask something with the lock renewed first. LockHeld when it is another's by now, or was
    meanwhile.
    """
    with namespace(cluster) as ioctx:
        take(ioctx, lock)
        told = content_of(ioctx, lock.name)
        if not told or not lock.is_ours(told):
            ioctx.unlock(lock.name, "run", lock.holder)
            raise LockHeld(lock.name, told or {}, alive=False)
    yield from question(cluster)


def check_free(lock: RunLock, cluster: Cluster) -> Generator[Mapping[str, Json] | None]:
    """One answer: the note of a run that fell silent without an end, or None. LockHeld when there
    is one that is alive.
    """
    with namespace(cluster) as ioctx:
        take(ioctx, lock)
        ioctx.unlock(lock.name, "run", lock.holder)
        told = content_of(ioctx, lock.name)
        yield told if told and not lock.is_ours(told) else None


def acquire(lock: RunLock, take_over: bool, cluster: Cluster) -> Generator[None]:
    """Begin to hold it. What a run left behind that fell silent is respected too, unless it is
    taken over.
    """
    with namespace(cluster) as ioctx:
        take(ioctx, lock)
        told = content_of(ioctx, lock.name)
        if told and not lock.is_ours(told) and not take_over:
            ioctx.unlock(lock.name, "run", lock.holder)
            raise LockHeld(lock.name, told, alive=False)
        ioctx.write_full(lock.name, lock.content.encode())
    yield None


def release(lock: RunLock, cluster: Cluster) -> Generator[None]:
    """Done with it: lock and note go."""
    with namespace(cluster) as ioctx:
        told = content_of(ioctx, lock.name)
        if told and lock.is_ours(told):
            ioctx.remove_object(lock.name)
    yield None


def take(ioctx: rados.Ioctx, lock: RunLock) -> None:
    import rados

    try:
        ioctx.lock_shared(
            lock.name, "run", lock.holder, lock.holder, duration=LOCK_SECONDS, flags=MAY_RENEW
        )
    except rados.ObjectBusy:
        raise LockHeld(lock.name, content_of(ioctx, lock.name) or {}, alive=True) from None


def content_of(ioctx: rados.Ioctx, name: str) -> Mapping[str, Json] | None:
    import rados

    try:
        content = ioctx.read(name, MAX_CONTENT)
    except rados.ObjectNotFound:
        return None
    if not content:
        return None
    try:
        told: Mapping[str, Json] = json.loads(content)
    except ValueError:
        raise UnexpectedAnswer(
            f"the lock {name} in namespace {NAMESPACE} is not cephctl's"
        ) from None
    return told


@contextmanager
def namespace(cluster: Cluster) -> Iterator[rados.Ioctx]:
    """The metadata pool of the file system, in the namespace that is ours."""
    import rados

    pool = metadata_pool(cluster)
    cluster.report(Waiting(f"pool {pool}", "lock the run"))
    ioctx = cluster.handle.open_ioctx(pool)
    ioctx.set_namespace(NAMESPACE)
    try:
        yield ioctx
    except rados.TimedOut:
        raise Unanswered(f"pool {pool}", "lock the run", cluster.target.seconds) from None
    except rados.Error as error:
        if error.errno in (errno.EPERM, errno.EACCES):
            raise denied(cluster.target, f"lock in pool {pool}", "osd") from None
        raise CephctlError(f"cannot lock in pool {pool}: {error}") from None
    finally:
        ioctx.close()


def metadata_pool(cluster: Cluster) -> str:
    systems = cluster.command("fs ls")
    named = [each for each in systems if cluster.target.file_system in (None, each["name"])]
    if not named:
        raise UnexpectedAnswer("there is no file system, so no metadata pool to lock in")
    return str(named[0]["metadata_pool"])
