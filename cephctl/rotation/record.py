"""The record of a run: what it set out to do, and what happened, line by line on disk before anything is done."""

from __future__ import annotations

import contextlib
import dataclasses
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from cephctl.errors import CephctlError, NotFound, Refused, UsageError

FORMAT = 1
ENDED = ("finished", "rolled back", "aborted")


@dataclass(frozen=True)
class Plan:
    """What a run set out to do. It never changes, and holds no key: `old` and `new` are what is told of keys.

    `skipped` are nodes that are left out, each with the reason that was given. `entity` is what the nodes mount as at the end, but
    with strategy "alternate", where `other` is.
    """

    run: str
    began: str
    operator: str
    host: str
    cluster: str
    strategy: str
    entity: str
    other: str
    caps: Mapping[str, str]
    old: Mapping[str, Any]
    key_type: str
    compromised: bool
    nodes: tuple[str, ...]
    skipped: Mapping[str, str]

    @property
    def lock(self) -> str:
        return f"run.{self.entity}"


@dataclass(frozen=True)
class Note:
    """One line: when, at which step, what, and more about it."""

    at: float
    step: str
    what: str
    detail: Any = None


class Recorder:
    """One run's files in the directory of records: RUN.jsonl, and RUN.keyring as long as the old key may be wanted."""

    def __init__(self, directory: str, run: str) -> None:
        self.directory = directory
        self.run = run
        self.path = os.path.join(directory, f"{run}.jsonl")
        self.keyring = os.path.join(directory, f"{run}.keyring")

    def create(self, plan: Plan) -> None:
        """Begin it; on disk when this returns."""
        with naming_trouble(self.directory):
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            write_new(self.path, json.dumps({"format": FORMAT, **dataclasses.asdict(plan)}) + "\n")

    def note(self, note: Note) -> None:
        with naming_trouble(self.path):
            append(self.path, dataclasses.asdict(note))

    @property
    def exists(self) -> bool:
        return os.path.exists(self.path)

    @property
    def plan(self) -> Plan:
        return self.read()[0]

    @property
    def notes(self) -> list[Note]:
        return self.read()[1]

    def read(self) -> tuple[Plan, list[Note]]:
        """A last line that was cut off by a crash counts as not written."""
        try:
            with open(self.path) as file:
                lines = file.read().split("\n")[:-1]
            first = json.loads(lines[0])
            if first.pop("format") != FORMAT:
                raise UsageError(f"{self.path} was written by another version of cephctl")
            plan = Plan(**first | {"nodes": tuple(first["nodes"])})
            notes = [Note(**json.loads(line)) for line in lines[1:]]
            return without(plan, notes), notes
        except FileNotFoundError:
            raise NotFound(
                f"no run {self.run}", "'cephctl run list' shows those of this machine"
            ) from None
        except OSError as error:
            raise CephctlError(f"{self.path}: {error.strerror}") from None
        except (ValueError, KeyError, TypeError, IndexError):
            raise CephctlError(f"{self.path} is no record of a run") from None

    # The old key

    def keep_key(self, text: str) -> None:
        """Keep the old key, its owner's alone, until the run has ended."""
        with naming_trouble(self.keyring):
            write_new(self.keyring, text)

    def kept_key(self) -> bytes | None:
        try:
            with open(self.keyring, "rb") as file:
                return file.read()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise CephctlError(f"{self.keyring} cannot be read: {error.strerror}") from None

    def destroy_key(self) -> bool:
        """Overwrite and remove it; whether it was there."""
        if not os.path.exists(self.keyring):
            return False
        with naming_trouble(self.keyring):
            with open(self.keyring, "r+b") as file:
                file.write(b"\0" * os.path.getsize(self.keyring))
                file.flush()
                os.fsync(file.fileno())
            os.unlink(self.keyring)
        return True

    # Who is at it

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time works on a run."""
        with open(self.path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused(
                    f"run {self.run} is at work", "watch it with: cephctl run show " + self.run
                ) from None
            yield

    @property
    def is_at_work(self) -> bool:
        try:
            with self.alone():
                return False
        except Refused:
            return True


def without(plan: Plan, notes: Sequence[Note]) -> Plan:
    """The plan less the nodes that were left out later, with the reasons."""
    skipped = {
        node: reason
        for note in notes
        if (note.step, note.what) == ("run", "skipped")
        for node, reason in note.detail.items()
    }
    nodes = tuple(node for node in plan.nodes if node not in skipped)
    return dataclasses.replace(plan, nodes=nodes, skipped={**plan.skipped, **skipped})


def write_new(path: str, text: str) -> None:
    """A file of the owner's alone, whole or not there at all; on disk when this returns. FileExistsError when it was there."""
    part = f"{path}.part"
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.link(part, path)
    os.unlink(part)
    sync_folder(os.path.dirname(path))


def append(path: str, value: Mapping[str, Any]) -> None:
    """One line, on disk when this returns; a half line that a crash left is cut off first."""
    file = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(file).st_size
        torn = size and os.pread(file, 1, size - 1) != b"\n"
        if torn:
            os.ftruncate(file, os.pread(file, size, 0).rfind(b"\n") + 1)
        os.write(file, json.dumps(value).encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


def sync_folder(path: str) -> None:
    folder = os.open(path, os.O_RDONLY)
    os.fsync(folder)
    os.close(folder)


@contextlib.contextmanager
def naming_trouble(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = (
            "run as root, or set 'directory' in [runs]"
            if isinstance(error, PermissionError)
            else None
        )
        raise CephctlError(
            f"the record {error.filename or path} cannot be written: {error.strerror}", hint
        ) from None


def recorders(directory: str) -> list[Recorder]:
    """All runs of this machine, the oldest first."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CephctlError(
            f"{directory}: {error.strerror}", "run as root, or set 'directory' in [runs]"
        ) from None
    return [Recorder(directory, name.removesuffix(".jsonl")) for name in names]


def state_of(recorder: Recorder, notes: list[Note]) -> str:
    """finished, rolled back, aborted; running; stalled, interrupted: where it stands by its last word, and by whether it lives."""
    ends = [
        note.what
        for note in notes
        if note.step == "run" and note.what in (*ENDED, "stalled", "interrupted")
    ]
    if ends and ends[-1] in ENDED:
        return ends[-1]
    if recorder.is_at_work:
        return "running"
    return ends[-1] if ends and notes[-1].step == "run" else "interrupted"


def new_run(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y%m%d-%H%M%S")
