"""What a rotation sees and changes: the cluster's entities and sessions, the nodes' mounts and
files, HAProxy.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as FutureTimeout
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Protocol, TypeVar

from cephctl.ceph.commands import Cluster, evict_session
from cephctl.ceph.keys import Entity, import_entity, read_entity, remove_entity
from cephctl.ceph.lock import LOCK_SECONDS, RunLock, acquire, held, release
from cephctl.cluster.monitors import read_monmap
from cephctl.cluster.sessions import MdsSession, read_sessions
from cephctl.deps import Deps
from cephctl.errors import CephctlError, Interrupted, Refused
from cephctl.node.procedure import BUSY
from cephctl.nodes.push import (
    Credentials,
    FileChange,
    mount_source,
    options,
    push,
    wanted,
)
from cephctl.rotation.answers import NodeLook, RemoveReport, SwitchReport, typed
from cephctl.rotation.steps import Done, Stalled
from cephctl.site import request
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Question

T = TypeVar("T")

LOOK_SECONDS = 30
SWITCH_SECONDS = 240
MOUNT_SECONDS = 75
RENEW_SECONDS = LOCK_SECONDS / 4
KEY_FILES = ("secret", "keyring")


@dataclass(frozen=True)
class MountState:
    """A node's mount: as whom (None where nothing is mounted), and what is wrong with it."""

    entity: str | None
    problem: str | None


class Environment(Protocol):
    """What the strategies need. Every method may raise a CephctlError, and may be cut off at any
    point.
    """

    def now(self) -> float: ...
    def wait(self, seconds: float) -> None: ...
    def entity(self, name: str) -> Entity | None: ...
    def write_entity(self, name: str, key: str, caps: Mapping[str, str]) -> None: ...
    def remove_entity(self, name: str) -> None: ...
    def sessions(self) -> list[MdsSession]: ...
    def evict(self, session: MdsSession) -> None: ...
    def seen(self, node: str) -> MountState: ...
    def switch(self, node: str, entity: Entity) -> Done: ...
    def files_differ(self, nodes: Sequence[str], entity: Entity, unit: bool) -> str | None: ...
    def write_files(self, nodes: Sequence[str], entity: Entity, unit: bool) -> None: ...
    def files_of(self, nodes: Sequence[str], entity: str) -> list[str]: ...
    def remove_files(self, nodes: Sequence[str], entity: str) -> None: ...
    def out_of_service(self, node: str) -> str | None: ...


class LiveEnvironment:
    """The real one. Every question to the cluster renews the lock, and so does long waiting;
    without a lock it is for looking.
    """

    def __init__(self, deps: Deps, lock: RunLock | None) -> None:
        self.deps = deps
        self.lock = lock
        self.site = deps.site
        self.nodes = {node.name: node for node in deps.nodes}
        self.haproxy = deps.haproxy
        self._renewed = 0.0

    def now(self) -> float:
        return time.time()

    # The cluster

    def ask(self, question: Any) -> list[Any]:
        answers = list(self.deps.ask(partial(held, self.lock, question) if self.lock else question))
        self._renewed = time.monotonic()
        return answers

    def take_lock(self, take_over: bool = False) -> None:
        assert self.lock
        list(self.deps.ask(partial(acquire, self.lock, take_over)))

    def give_lock_back(self) -> None:
        assert self.lock
        list(self.deps.ask(partial(release, self.lock)))

    def wait(self, seconds: float) -> None:
        """Let time pass, and keep the lock."""
        time.sleep(seconds)
        if time.monotonic() - self._renewed > RENEW_SECONDS:
            self.renew()

    def renew(self) -> None:
        """A cluster that does not answer once has not forgotten the lock yet."""
        try:
            self.ask(nothing)
        except (Refused, Interrupted):
            raise
        except CephctlError:
            if time.monotonic() - self._renewed > LOCK_SECONDS - RENEW_SECONDS:
                raise

    def entity(self, name: str) -> Entity | None:
        found: Entity | None
        [found] = self.ask(partial(read_entity, name))
        return found

    def write_entity(self, name: str, key: str, caps: Mapping[str, str]) -> None:
        self.ask(partial(import_entity, name, key, caps))

    def remove_entity(self, name: str) -> None:
        self.ask(partial(remove_entity, name))

    def sessions(self) -> list[MdsSession]:
        return self.ask(partial(read_sessions, tuple(self.nodes.values()), ()))

    def evict(self, session: MdsSession) -> None:
        self.ask(partial(evict, session))

    # The nodes

    def node_asked(
        self, kind: type[T], nodes: Sequence[str], function: str, arguments: Any, seconds: float
    ) -> dict[str, T | NodeFailed]:
        """Each node's answer, typed, or its NodeFailed."""
        question = Question(function, lambda _: arguments, seconds)
        chosen = [self.nodes[name] for name in nodes]
        answers = self.patiently(lambda: list(self.deps.ask_nodes(chosen, question)))
        return {node.name: typed(kind, node.name, answer) for node, answer in answers}

    def patiently(self, work: Callable[[], T]) -> T:
        """The result of what can take minutes; the lock is kept meanwhile."""
        pool = ThreadPoolExecutor(1)
        future = pool.submit(work)
        try:
            while True:
                try:
                    return future.result(timeout=RENEW_SECONDS)
                except FutureTimeout:
                    self.renew()
        finally:
            pool.shutdown(wait=False, cancel_futures=True)

    def looks(self, nodes: Sequence[str]) -> dict[str, NodeLook]:
        """Of each node that answers, what it says of its mount, and of what it could use."""
        answers = self.node_asked(
            NodeLook, nodes, "switch.look", request(self.site, None), LOOK_SECONDS
        )
        return {name: each for name, each in answers.items() if isinstance(each, NodeLook)}

    def seen(self, node: str) -> MountState:
        [found] = self.node_asked(
            NodeLook, [node], "switch.look", request(self.site, None), LOOK_SECONDS
        ).values()
        if isinstance(found, NodeFailed):
            raise found
        here = found.mounts
        if not here:
            return MountState(None, f"{self.site.path} is not mounted")
        if len(here) > 1 or here[0].type != "ceph":
            problem = f"{len(here)} mounts on {self.site.path}, the lowest of type {here[0].type}"
            return MountState(here[-1].name, problem)
        leftover = "leftover staging mount from an interrupted switch" if found.staged else None
        return MountState(here[0].name, leftover or self.not_in_service(node))

    def switch(self, node: str, entity: Entity) -> Done:
        """Out of service, another mount in place of the old one, back into service, as it was
        before.
        """
        [monmap] = self.ask(read_monmap)
        site = replace(self.site, entity=entity.name)
        arguments = request(site, None) | {
            "key": entity.key,
            "source": mount_source(site, tuple(monmap.addresses)),
            "options": options(site),
            "mount_seconds": MOUNT_SECONDS,
        }
        drained = self.drain(node)
        [answer] = self.node_asked(
            SwitchReport, [node], "switch.switch", arguments, SWITCH_SECONDS
        ).values()
        if isinstance(answer, NodeFailed):
            hint = f", and it is out of service in HAProxy (cephctl node undrain {node})"
            out = hint if self.haproxy else ""
            raise Stalled(
                f"{node}: {answer.problem}; it may still be in progress there{out}", answer.hint
            )
        if answer.problem == BUSY:
            raise Stalled(f"{node}: {BUSY}", "wait for it, then resume")
        if answer.problem:
            raise Stalled(f"{node}: {answer.problem}; {self.left(node, answer.mounted)}")
        self.undrain(node)
        return Done(answer.gap, answer.client.instance if answer.client else None, drained)

    def left(self, node: str, mounted: bool) -> str:
        """How a node is left whose switch failed: in service when it has a mount, else out of
        it.
        """
        if not mounted:
            return "it is not mounted, and out of service" if self.haproxy else "it is not mounted"
        try:
            self.undrain(node)
        except CephctlError as error:
            return f"it is mounted, and out of service: {error.message}"
        return "it is mounted and in service"

    def files_differ(self, nodes: Sequence[str], entity: Entity, unit: bool) -> str | None:
        changes = self.pushed(nodes, entity, unit, write=False)
        return f"{changes[0].node}: {changes[0].path} holds another key" if changes else None

    def write_files(self, nodes: Sequence[str], entity: Entity, unit: bool) -> None:
        self.pushed(nodes, entity, unit, write=True)

    def pushed(
        self, nodes: Sequence[str], entity: Entity, unit: bool, write: bool
    ) -> list[FileChange]:
        [monmap] = self.ask(read_monmap)
        site = replace(self.site, entity=entity.name)
        files = [
            each
            for each in wanted(site, Credentials(monmap, entity.fingerprint, entity.key))
            if each["kind"] in KEY_FILES or (unit and each["section"] == "Mount")
        ]
        deps = replace(self.deps, site=site)
        chosen = [self.nodes[name] for name in nodes]
        found = self.patiently(lambda: list(push(deps, chosen, files, write, unit)))
        for each in found:
            if isinstance(each, CephctlError):
                raise each
        return [each for each in found if isinstance(each, FileChange)]

    def files_of(self, nodes: Sequence[str], entity: str) -> list[str]:
        """The nodes that still have files of an entity's key."""
        return self.key_files(nodes, entity, remove=False)

    def remove_files(self, nodes: Sequence[str], entity: str) -> None:
        self.key_files(nodes, entity, remove=True)

    def key_files(self, nodes: Sequence[str], entity: str, remove: bool) -> list[str]:
        site = replace(self.site, entity=entity)
        arguments = {"paths": [site.secret, site.keyring], "write": remove}
        found = []
        for name, answer in self.node_asked(
            RemoveReport, nodes, "push.remove", arguments, LOOK_SECONDS
        ).items():
            if isinstance(answer, NodeFailed):
                raise answer
            if answer.removed:
                found.append(name)
        return found

    # HAProxy

    def out_of_service(self, node: str) -> str | None:
        """Why this node may not be taken out of service now."""
        if not self.haproxy:
            return None
        shard = self.nodes[node].shard
        servers = self.haproxy.servers(shard)
        self.haproxy.server(shard, node)
        others = [each.name for each in servers.values() if each.is_up and each.name != node]
        return None if others else f"HAProxy has no other server of {self.haproxy.of(shard)} up"

    def not_in_service(self, node: str) -> str | None:
        if not self.haproxy:
            return None
        found = self.haproxy.server(self.nodes[node].shard, node)
        return None if found.is_up else f"HAProxy has {node} {found.status}"

    def drain(self, node: str) -> str | None:
        return self.haproxy.drain(self.nodes[node].shard, node, self.wait) if self.haproxy else None

    def undrain(self, node: str) -> None:
        if self.haproxy:
            self.haproxy.undrain(self.nodes[node].shard, node, self.wait)


def nothing(cluster: Any) -> Generator[None]:
    """Only the lock is renewed."""
    yield from ()


def evict(session: MdsSession, cluster: Cluster) -> Generator[None]:
    evict_session(cluster, session.mds, session.id)
    yield None
