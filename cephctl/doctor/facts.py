"""What a web node says of itself: the typed form of the node program's answer.

The names of fields in JSON are the node program's (`cephctl/node/facts.py`). `parse` reads an
answer once; what could not be read on the node is Unreadable, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from cephctl.parse import Unreadable
from cephctl.remedy import Command

MISSING = Unreadable("the node did not say")


def named(name: str, default: Any = "") -> Any:
    """A field that has another name in JSON."""
    return field(default=default, metadata={"json": name})


@dataclass(frozen=True)
class Clock:
    """The node's time when it began to answer, and when it ended: seconds since the epoch."""

    start: float = 0.0
    end: float = 0.0


@dataclass(frozen=True)
class Mount:
    """One line of mountinfo. Of several on one target the last is on top."""

    id: int
    device: str
    target: str
    type: str
    source: str
    options: tuple[str, ...]
    super_options: tuple[str, ...]

    @property
    def path(self) -> str:
        """The directory of the file system that is mounted: "/" or "/a/b"."""
        return "/" + self.source.rpartition(":/")[2].strip("/")

    @property
    def name(self) -> str:
        """The entity of a CephFS mount, without "client."."""
        names = (word[5:] for word in self.super_options if word.startswith("name="))
        return next(names, "")


@dataclass(frozen=True)
class Requests:
    """What a client waits for: lines of debugfs' mdsc and osdc."""

    mds: tuple[str, ...] = ()
    osd: tuple[str, ...] = ()

    def of(self, daemon: str) -> tuple[str, ...]:
        return {"mds": self.mds, "osd": self.osd}.get(daemon, ())


@dataclass(frozen=True)
class Client:
    """A kernel client in debugfs. `instance` is ip:port/nonce, None on kernels before 5.11;
    `sessions` by MDS rank.
    """

    id: int
    fsid: str
    started: float
    instance: str | None
    blocklisted: bool | None
    name: str | None
    sessions: Mapping[str, str]
    requests: Requests = Requests()
    requests_later: Requests | None = None


@dataclass(frozen=True)
class KernelLine:
    """A kernel message, `age` seconds old."""

    age: float
    text: str


@dataclass(frozen=True)
class Host:
    """The node: versions of what a mount needs, and its addresses."""

    kernel: str = ""
    systemd: str | None = None
    mount_helper: str | None = None
    ceph_common: str | None = None
    addresses: tuple[str, ...] = ()


@dataclass(frozen=True)
class Unit:
    """The mount unit: properties of `systemctl show`, and the settings of its file (`file`)."""

    name: str = "the mount unit"
    load_state: str = named("LoadState")
    active_state: str = named("ActiveState")
    result: str = named("Result")
    file_state: str = named("UnitFileState")
    fragment_path: str = named("FragmentPath")
    need_reload: str = named("NeedDaemonReload")
    timeout: str = named("TimeoutUSec")
    after: str = named("After")
    state_changed: str = named("StateChangeTimestampMonotonic")
    file: Mapping[str, str] = field(default_factory=dict)
    has_secret: bool = False
    automount: bool = False
    misnamed: tuple[str, ...] = ()
    log: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dependent:
    """A service that depends on the mount, and by which of systemd's dependencies."""

    unit: str
    state: str | None
    type: str | None
    dependencies: tuple[str, ...]


@dataclass(frozen=True)
class KeyFile:
    """A file that holds a key. `kind` is key, keyring, empty or garbled; None where it is not
    there.
    """

    path: str = ""
    exists: bool = False
    mode: int = 0
    uid: int = 0
    size: int = 0
    kind: str | None = named("class", None)
    fingerprint: str | None = None


@dataclass(frozen=True)
class ConfFile:
    """The node's ceph.conf."""

    path: str = ""
    exists: bool = False
    fsid: str | None = None
    mon_host: str | None = None


@dataclass(frozen=True)
class Files:
    """The files that a mount is made with."""

    conf: ConfFile = ConfFile()
    secret: KeyFile = KeyFile()
    keyring: KeyFile = KeyFile()


@dataclass(frozen=True)
class FstabEntry:
    """A line of fstab that is about Ceph, or about the path."""

    line: int
    source: str
    target: str
    type: str
    has_secret: bool


@dataclass(frozen=True)
class Module:
    """The kernel's ceph module; `folder` is whether the running kernel has modules at all."""

    loaded: bool = True
    available: bool = True
    folder: bool = True


@dataclass(frozen=True)
class Directory:
    """The mount point where nothing is mounted on it; `first` are some of its entries."""

    mounted: bool = True
    exists: bool = True
    is_directory: bool = True
    entries: int = 0
    first: tuple[str, ...] = ()


@dataclass(frozen=True)
class Process:
    """A process, and the systemd unit that it belongs to."""

    pid: int
    command: str
    unit: str | None

    @property
    def is_service(self) -> bool:
        """Whether systemd can stop and start it; else it is a login session, or a job."""
        unit = self.unit or ""
        return unit.endswith(".service") and not unit.startswith(("user@", "ssh"))


@dataclass(frozen=True)
class Holder(Process):
    """A process that keeps a mount busy: one in the tree, or one that was detached (lazily
    unmounted).
    """

    mount: Literal["live", "detached"]
    files: tuple[str, ...]

    def __str__(self) -> str:
        return (
            f"{self.command} ({self.pid}, {self.unit or 'no unit'}) uses "
            f"{self.files[0] if self.files else 'it'}"
        )


@dataclass(frozen=True)
class Sleeper(Process):
    """A process in an uninterruptible sleep inside the Ceph client."""

    stack: tuple[str, ...]


@dataclass(frozen=True)
class Probe:
    """One probe of the mount. `reached` is how far the OSD's came: opened, read."""

    status: Literal["ok", "error", "busy", "hung"]
    seconds: float | None = None
    error: str | None = None
    reached: str | None = None
    pid: int | None = None
    state: str | None = None
    wchan: str | None = None

    @property
    def hangs(self) -> bool:
        return self.status in ("hung", "busy")


@dataclass(frozen=True)
class Answer:
    """All that a node said, section by section."""

    clock: Clock | Unreadable = MISSING
    uptime: float | Unreadable = MISSING
    mounts: tuple[Mount, ...] | Unreadable = MISSING
    host: Host | Unreadable = MISSING
    clients: tuple[Client, ...] | Unreadable = MISSING
    network: Mapping[str, str] | Unreadable = MISSING
    kernel_log: tuple[KernelLine, ...] | Unreadable = MISSING
    unit: Unit | Unreadable = MISSING
    dependents: tuple[Dependent, ...] | Unreadable = MISSING
    files: Files | Unreadable = MISSING
    fstab: tuple[FstabEntry, ...] | Unreadable = MISSING
    kernel_keys: tuple[str, ...] | Unreadable = MISSING
    module: Module | Unreadable = MISSING
    directory: Directory | Unreadable = MISSING
    holders: tuple[Holder, ...] | Unreadable = MISSING
    sleepers: tuple[Sleeper, ...] | Unreadable = MISSING
    probes: Mapping[str, Probe] | Unreadable = MISSING


@dataclass(frozen=True)
class Failure:
    """Why a node gave no answer: the code of the finding, and what fixes it."""

    code: str
    problem: str
    hint: str | None = None
    remedy: tuple[Command, ...] = ()


@dataclass(frozen=True)
class NodeFacts:
    """What is known of one node: its answer, or why there is none.

    `asked` and `answered` are the operator's clock before and after.
    """

    name: str
    shard: str
    address: str
    facts: Answer = Answer()
    asked: float = 0.0
    answered: float = 0.0
    failure: Failure | None = None
