"""The facts of one node and of the cluster, joined: what a check looks at."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from cephctl.doctor.kernel_events import Event, events
from cephctl.results import Severity
from cephctl.site import Site

MOUNT_ATTEMPT_SECONDS = 150
"""How long before the unit's last change a mount attempt can have begun: the kernel gives up after 60 s."""


@dataclass(frozen=True)
class NodeFacts:
    """What is known of one node: its answer, or why there is none."""

    name: str
    shard: str
    address: str
    facts: Mapping[str, Any]
    asked: float = 0.0
    answered: float = 0.0
    failure: Mapping[str, Any] | None = None


class View:
    """One node beside the cluster. `node` is None for a check of the cluster alone."""

    def __init__(self, node: NodeFacts | None, cluster: Mapping[str, Any], site: Site) -> None:
        self.node = node or NodeFacts("", "", "", {})
        self.cluster = cluster
        self.site = site
        self.fleet: list[View] = []
        """All nodes that were asked, this one among them."""

    def unreadable(self, need: str) -> str | None:
        """Why a section of facts is not there; None when it is. "cluster.X" is the cluster's side."""
        if need.startswith("cluster."):
            section = self.cluster.get(
                need.removeprefix("cluster."),
                {"error": self.cluster.get("error", "the cluster was not asked")},
            )
        else:
            section = self.node.facts.get(need, {"error": "the node did not say"})
        return str(section["error"]) if isinstance(section, dict) and "error" in section else None

    def section(self, name: str) -> Any:
        """A section of the node's facts, empty where it could not be read."""
        return {} if self.unreadable(name) else self.node.facts[name]

    def known(self, name: str) -> Any:
        """A section of the cluster's facts, empty where it could not be read."""
        return {} if self.unreadable(f"cluster.{name}") else self.cluster[name]

    # The mount

    @cached_property
    def mounts_here(self) -> list[Any]:
        """Everything mounted on the path, lowest first."""
        return [each for each in self.section("mounts") or [] if each["target"] == self.site.path]

    @property
    def mount(self) -> Any:
        """The mount on top of the path, if it is Ceph's."""
        top = self.mounts_here[-1] if self.mounts_here else None
        return top if top and top["type"] == "ceph" else None

    @property
    def is_mounted(self) -> bool:
        return self.mount is not None

    @property
    def later(self) -> Severity | None:
        """The severity of what only the next mount will meet: a warning while this one is up, else the check's own."""
        return Severity.WARN if self.is_mounted else None

    @cached_property
    def ceph_devices(self) -> set[str]:
        return {each["device"] for each in self.section("mounts") or [] if each["type"] == "ceph"}

    @cached_property
    def client(self) -> Any:
        """The kernel client behind the mount: the youngest, for an older one can only be the zombie of a former mount."""
        clients = sorted(self.section("clients") or [], key=lambda each: each["id"])
        return clients[-1] if clients and self.is_mounted else None

    @cached_property
    def zombies(self) -> list[Any]:
        """Clients that live on without a mount."""
        clients = sorted(self.section("clients") or [], key=lambda each: each["id"])
        return clients[: max(0, len(clients) - len(self.ceph_devices))]

    @property
    def instance(self) -> str | None:
        return self.client["instance"] if self.client else None

    @property
    def session(self) -> Any:
        """The MDS session of the mount's client."""
        if not self.client:
            return None
        # Kernels before 5.11 do not tell their instance; a client's id is its session's.
        mine = [
            each
            for each in self.known("sessions") or []
            if self.instance in (each["instance"], None)
        ]
        return next((each for each in mine if each["id"] == self.client["id"]), None)

    @property
    def is_rejected(self) -> bool:
        client = self.client
        return bool(client) and (
            bool(client["blocklisted"]) or "rejected" in client["sessions"].values()
        )

    @property
    def file_system(self) -> Any:
        """The file system that is to be mounted: the configured one, or the only one."""
        systems = self.known("file_systems") or []
        named = [each for each in systems if each["name"] == self.site.filesystem]
        return (
            named[0]
            if named
            else systems[0]
            if len(systems) == 1 and not self.site.filesystem
            else None
        )

    # Time

    @property
    def now(self) -> float:
        """The node's own clock when it was asked."""
        return float(self.section("clock").get("start", 0.0))

    @cached_property
    def events(self) -> dict[str, Event]:
        """What the kernel said since this client began; without a client, since the last attempt to mount."""
        return events(self.section("kernel_log") or [], self._since)

    @property
    def _since(self) -> float | None:
        if self.client:
            return self.now - float(self.client["started"]) + 2
        changed = int(self.section("unit").get("StateChangeTimestampMonotonic") or 0)
        if not changed:
            return None
        return float(self.section("uptime")) - changed / 1e6 + MOUNT_ATTEMPT_SECONDS

    # The unit

    @property
    def unit(self) -> Any:
        return self.section("unit")

    @property
    def unit_name(self) -> str:
        return str(self.unit.get("name", "the mount unit"))

    @property
    def unit_file(self) -> Mapping[str, str]:
        return self.unit.get("file") or {}

    @property
    def unit_options(self) -> list[str]:
        return [word for word in self.unit_file.get("Options", "").split(",") if word]

    @property
    def unit_option(self) -> Mapping[str, str]:
        return dict(word.partition("=")[::2] for word in self.unit_options)

    @property
    def unit_text(self) -> str:
        return "\n".join(self.unit.get("log") or ())

    @property
    def source(self) -> str:
        return self.unit_file.get("What", "")

    @property
    def source_monitors(self) -> list[tuple[str, int | None]]:
        """Host and port of each monitor in the unit's What= (host:port,host:/path)."""
        hosts, _, _ = self.source.rpartition(":/")
        found = []
        for word in (self.unit_option.get("mon_addr", "").replace("/", ",") or hosts).split(","):
            match = re.fullmatch(r"\[?([^\[\]]+?)\]?(?::(\d+))?", word.strip())
            if match and "@" not in word:
                found.append((match[1], int(match[2]) if match[2] else None))
        return found

    @property
    def source_path(self) -> str:
        return "/" + self.source.rpartition(":/")[2].strip("/")

    @property
    def wants_msgr2(self) -> bool:
        return self.unit_option.get("ms_mode", "legacy") != "legacy"

    # Files, probes, network

    @property
    def files(self) -> Any:
        return self.section("files")

    @property
    def key(self) -> Any:
        """The header and fingerprint of the entity's key in the cluster."""
        return self.known("entity").get("key") or {}

    def probe(self, name: str) -> Any:
        return (self.section("probes") or {}).get(name, {})

    def probe_hangs(self, name: str) -> bool:
        return self.probe(name).get("status") in ("hung", "busy")

    def reach(self, host: str, port: int) -> str:
        return str((self.section("network") or {}).get(f"{host}:{port}", "not tried"))

    def is_refused_everywhere(self, host: str, port: int) -> bool:
        """Whether every node that tried was refused: there is nobody, not a way that is closed to one of them."""
        words = {each.reach(host, port) for each in self.fleet} - {"not tried"}
        return (
            words == {"refused"} and len([each for each in self.fleet if not each.node.failure]) > 1
        )

    @property
    def monitors(self) -> list[tuple[str, str, int]]:
        """Kind (v1, v2), host and port of every monitor address."""
        return [
            (kind, host, port)
            for mon in self.known("monmap").get("monitors", ())
            for kind, host, port in mon["addresses"]
        ]
