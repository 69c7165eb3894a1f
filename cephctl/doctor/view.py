"""The facts of one node and of the cluster, joined: what a check looks at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TypeVar

from cephctl.cluster.mds import MdsDaemon
from cephctl.cluster.monitors import MonAddress
from cephctl.cluster.sessions import MdsSession
from cephctl.doctor.cluster_facts import ClusterFacts, EntityFacts, FileSystem, KeyFacts, Osdmap
from cephctl.doctor.facts import (
    Client,
    Clock,
    Directory,
    Files,
    Holder,
    Host,
    Module,
    Mount,
    NodeFacts,
    Probe,
    Unit,
)
from cephctl.doctor.kernel_events import Event, events
from cephctl.parse import Unreadable
from cephctl.results import Severity
from cephctl.site import Site

T = TypeVar("T")

MOUNT_ATTEMPT_SECONDS = 150
"""How long before the unit's last change a mount attempt can have begun: the kernel gives up after
60 s.
"""
NOT_TRIED = "not tried"
REACHED = ("ok", "silent", NOT_TRIED)
"""Words of `reach` with which nothing is said against the way to a daemon."""


def known(section: T | Unreadable, otherwise: T) -> T:
    """A section of facts, or what stands for one that could not be read."""
    return otherwise if isinstance(section, Unreadable) else section


@dataclass(frozen=True)
class View:
    """One node beside the cluster. In a view of the cluster alone `node` has no name.

    `fleet` are the views of all nodes that were asked, this one among them.
    """

    node: NodeFacts
    cluster: ClusterFacts
    site: Site
    fleet: tuple[View, ...] = ()

    def unreadable(self, need: str) -> str | None:
        """Why a section of facts is not there; None when it is. "cluster.X" is the cluster's
        side.
        """
        side, _, name = need.rpartition(".")
        section = getattr(self.cluster if side else self.node.facts, name)
        return section.reason if isinstance(section, Unreadable) else None

    # Sections of the node's facts, empty where they could not be read

    @property
    def clock(self) -> Clock:
        return known(self.node.facts.clock, Clock())

    @property
    def host(self) -> Host:
        return known(self.node.facts.host, Host())

    @property
    def unit(self) -> Unit:
        return known(self.node.facts.unit, Unit())

    @property
    def files(self) -> Files:
        return known(self.node.facts.files, Files())

    @property
    def module(self) -> Module:
        return known(self.node.facts.module, Module())

    @property
    def directory(self) -> Directory:
        return known(self.node.facts.directory, Directory())

    @property
    def mounts(self) -> tuple[Mount, ...]:
        return known(self.node.facts.mounts, ())

    @property
    def clients(self) -> tuple[Client, ...]:
        return known(self.node.facts.clients, ())

    @property
    def network(self) -> Mapping[str, str]:
        return known(self.node.facts.network, {})

    def holders(self, mount: str) -> list[Holder]:
        """Processes that keep a mount busy: one that is "live", or one that was "detached"."""
        return [each for each in known(self.node.facts.holders, ()) if each.mount == mount]

    # Sections of the cluster's facts

    @property
    def osdmap(self) -> Osdmap:
        return known(self.cluster.osdmap, Osdmap((), (), ()))

    @property
    def blocklist(self) -> Mapping[str, str]:
        return self.osdmap.blocklist

    @property
    def entity(self) -> EntityFacts:
        return known(self.cluster.entity, EntityFacts(self.site.entity, exists=True))

    @property
    def key(self) -> KeyFacts | None:
        """The header and fingerprint of the entity's key in the cluster."""
        return self.entity.key if isinstance(self.entity.key, KeyFacts) else None

    @property
    def fsid(self) -> str | None:
        return None if isinstance(self.cluster.monmap, Unreadable) else self.cluster.monmap.fsid

    @property
    def allowed_ciphers(self) -> tuple[str, ...]:
        """The types of key that the cluster allows; empty on releases that do not tell."""
        monmap = self.cluster.monmap
        return () if isinstance(monmap, Unreadable) else monmap.allowed_ciphers

    @property
    def daemons(self) -> tuple[MdsDaemon, ...]:
        return known(self.cluster.daemons, ())

    @property
    def file_systems(self) -> tuple[FileSystem, ...]:
        return known(self.cluster.file_systems, ())

    @property
    def file_system(self) -> FileSystem | None:
        """The file system that is to be mounted: the configured one, or the only one."""
        wanted = self.site.file_system
        named = [each for each in self.file_systems if each.name == wanted]
        only = self.file_systems if len(self.file_systems) == 1 and not wanted else ()
        return next(iter((*named, *only)), None)

    @property
    def monitors(self) -> list[MonAddress]:
        monmap = self.cluster.monmap
        return [] if isinstance(monmap, Unreadable) else list(monmap.addresses)

    # The mount

    @cached_property
    def mounts_here(self) -> list[Mount]:
        """Everything mounted on the path, lowest first."""
        return [each for each in self.mounts if each.target == self.site.path]

    @property
    def mount(self) -> Mount | None:
        """The mount on top of the path, if it is Ceph's."""
        top = self.mounts_here[-1] if self.mounts_here else None
        return top if top and top.type == "ceph" else None

    @property
    def is_mounted(self) -> bool:
        return self.mount is not None

    @property
    def later(self) -> Severity | None:
        """The severity of what only the next mount will meet: a warning while this one is up, else
        the check's own.
        """
        return Severity.WARN if self.is_mounted else None

    @cached_property
    def client(self) -> Client | None:
        """The kernel client behind the mount: the youngest, for an older one can only be the zombie
        of a former mount.
        """
        clients = sorted(self.clients, key=lambda each: each.id)
        return clients[-1] if clients and self.is_mounted else None

    @cached_property
    def zombies(self) -> list[Client]:
        """Clients that live on without a mount."""
        devices = {each.device for each in self.mounts if each.type == "ceph"}
        clients = sorted(self.clients, key=lambda each: each.id)
        return clients[: max(0, len(clients) - len(devices))]

    @property
    def instance(self) -> str | None:
        return self.client.instance if self.client else None

    @property
    def session(self) -> MdsSession | None:
        """The MDS session of the mount's client."""
        client = self.client
        if not client:
            return None
        # Kernels before 5.11 do not tell their instance; a client's id is its session's.
        return next(
            (
                each
                for each in known(self.cluster.sessions, ())
                if each.id == client.id and client.instance in (each.address, None)
            ),
            None,
        )

    @property
    def is_blocklisted(self) -> bool:
        """Whether the mount's client is on the cluster's blocklist."""
        return self.instance in self.blocklist if self.instance else False

    @property
    def is_rejected(self) -> bool:
        client = self.client
        return client is not None and (
            bool(client.blocklisted) or "rejected" in client.sessions.values()
        )

    @property
    def is_cut_off(self) -> bool:
        """Whether the node reached none of the daemons that it tried."""
        return bool(self.network) and not {"ok", "silent"} & set(self.network.values())

    # Time

    @cached_property
    def events(self) -> Mapping[str, Event]:
        """What the kernel said since this client began; without a client, since the last attempt to
        mount.
        """
        return events(known(self.node.facts.kernel_log, ()), self._since)

    @property
    def _since(self) -> float | None:
        if self.client:
            return self.clock.start - self.client.started + 2
        changed = self.unit.state_changed
        if not changed.isdigit() or not int(changed):
            return None
        return known(self.node.facts.uptime, 0.0) - int(changed) / 1e6 + MOUNT_ATTEMPT_SECONDS

    # The unit

    @property
    def unit_options(self) -> list[str]:
        return [word for word in self.unit.file.get("Options", "").split(",") if word]

    @property
    def unit_option(self) -> Mapping[str, str]:
        return dict(word.partition("=")[::2] for word in self.unit_options)

    @property
    def source(self) -> str:
        """The unit's What=."""
        return self.unit.file.get("What", "")

    @property
    def source_monitors(self) -> list[tuple[str, int | None]]:
        """Host and port of each monitor in the unit's What= (host:port,host:/path)."""
        hosts, _, _ = self.source.rpartition(":/")
        found = []
        for word in (self.unit_option.get("mon_addr", "").replace("/", ",") or hosts).split(","):
            match = re.fullmatch(r"\[?([^\[\]]+?)\]?(?::(\d{1,5}))?", word.strip())
            if match and "@" not in word:
                found.append((match[1], int(match[2]) if match[2] else None))
        return found

    @property
    def source_path(self) -> str:
        return "/" + self.source.rpartition(":/")[2].strip("/")

    @property
    def wants_msgr2(self) -> bool:
        return self.unit_option.get("ms_mode", "legacy") != "legacy"

    @property
    def unit_says(self) -> str:
        """The unit's options, as evidence."""
        return f"{self.unit.name}: Options={','.join(self.unit_options)}"

    # Probes, network

    def probe(self, name: str) -> Probe | None:
        """The probe of "mon", "mds" or "osd"; None where it was not made."""
        return known(self.node.facts.probes, {}).get(name)

    def probe_failed(self, name: str) -> str | None:
        """The name of the error that a probe ended with."""
        probe = self.probe(name)
        return probe.error if probe and probe.status == "error" else None

    def probe_hangs(self, name: str) -> bool:
        probe = self.probe(name)
        return probe is not None and probe.hangs

    def reach(self, host: str, port: int) -> str:
        """How the node reached a port: ok, silent (no banner), refused, timeout, no route, not
        tried.
        """
        return self.network.get(f"{host}:{port}", NOT_TRIED)

    def is_refused_everywhere(self, host: str, port: int) -> bool:
        """Whether every node that tried was refused: nothing listens there; no way is closed to one
        node.
        """
        words = {each.reach(host, port) for each in self.fleet} - {NOT_TRIED}
        return (
            words == {"refused"} and len([each for each in self.fleet if not each.node.failure]) > 1
        )
