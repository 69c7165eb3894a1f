"""The journal of a run: its plan, and what happened, each entry on disk before anything is done."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeVar

from cephctl.errors import CephctlError, NotFound, Refused
from cephctl.files import create
from cephctl.parse import Malformed, parse, to_json
from cephctl.rotation.plan import FORWARD, Direction, Plan
from cephctl.rotation.steps import StepKind

T = TypeVar("T")

FORMAT = 2
HINT = "run as root, or set 'directory' in [runs]"


class Event(StrEnum):
    """What an entry tells: of the run, or of one of its steps."""

    BEGAN = "began"
    SETTLED = "settled"
    STARTED = "started"
    DONE = "done"
    SESSIONS = "sessions"
    SKIPPED = "skipped"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"


class RunState(StrEnum):
    """Where a run stands."""

    RUNNING = "running"
    STALLED = "stalled"
    INTERRUPTED = "interrupted"
    FINISHED = "finished"
    ROLLED_BACK = "rolled back"
    ABORTED = "aborted"

    @property
    def has_ended(self) -> bool:
        return self in (RunState.FINISHED, RunState.ROLLED_BACK, RunState.ABORTED)


LAST_WORDS = {
    Event.STALLED: RunState.STALLED,
    Event.INTERRUPTED: RunState.INTERRUPTED,
    Event.FINISHED: RunState.FINISHED,
    Event.ROLLED_BACK: RunState.ROLLED_BACK,
    Event.ABORTED: RunState.ABORTED,
}


@dataclass(frozen=True)
class Entry:
    """One line: when (seconds since the epoch), what, of which step; the rest as the event has it.

    `instances` are the clients that had a session when the key was changed: an MDS that takes over
    forgets how old its sessions are.
    """

    at: float
    event: Event
    kind: StepKind | None = None
    subject: str = ""
    direction: Direction | None = None
    seconds: float | None = None
    gap_ms: float | None = None
    instance: str | None = None
    drain: str | None = None
    evicted: tuple[str, ...] = ()
    instances: tuple[str, ...] = ()
    skipped: Mapping[str, str] = field(default_factory=dict)
    text: str | None = None

    @property
    def step(self) -> str:
        """The step for people; "run" for an entry of the run."""
        return f"{self.kind} {self.subject}" if self.kind else "run"

    @property
    def state(self) -> str:
        """The event in a word or two."""
        if self.event is Event.STARTED:
            return "in progress"
        return self.event if self.seconds is None else f"{self.event} in {self.seconds:.0f} s"

    @property
    def detail(self) -> str:
        """The rest of the entry for people."""
        words: list[str] = [self.direction] if self.direction else []
        if self.gap_ms is not None:
            words.append(f"at most {self.gap_ms} ms without a mount")
        words += [f"client {self.instance}"] if self.instance else []
        words += [f"evicted {each}" for each in self.evicted]
        words += [f"{node}: {reason}" for node, reason in self.skipped.items()]
        words += [", ".join(self.instances)] if self.instances else []
        return ", ".join([*words, *([self.text] if self.text else [])])

    def __str__(self) -> str:
        """The entry as one line.

        >>> print(Entry(0, Event.DONE, StepKind.BACK, "web-1", seconds=12.3, gap_ms=2.9))
        back web-1: done in 12 s, at most 2.9 ms without a mount
        """
        return f"{self.step}: {', '.join(filter(None, [self.state, self.detail]))}"


class Journal:
    """One run's files in the directory of journals: RUN.jsonl, and RUN.keyring as long as the old
    key may be needed.
    """

    def __init__(self, directory: str, run: str) -> None:
        self.directory = directory
        self.run = run
        self.path = os.path.join(directory, f"{run}.jsonl")
        self.keyring = os.path.join(directory, f"{run}.keyring")

    def create(self, plan: Plan) -> None:
        """Begin it; on disk when this returns."""
        with naming_errors(self.directory):
            os.makedirs(self.directory, mode=0o700, exist_ok=True)
            create(self.path, json.dumps({"format": FORMAT, **to_json(plan)}) + "\n")

    def add(self, entry: Entry) -> None:
        """Add an entry; on disk when this returns. Fields that are empty are left out."""
        values = {
            key: value for key, value in to_json(entry).items() if value not in (None, "", [], {})
        }
        with naming_errors(self.path):
            append(self.path, json.dumps(values))

    @property
    def exists(self) -> bool:
        return os.path.exists(self.path)

    @property
    def plan(self) -> Plan:
        return self.read()[0]

    @property
    def entries(self) -> list[Entry]:
        return self.read()[1]

    def read(self) -> tuple[Plan, list[Entry]]:
        """The plan less the nodes that were left out later, and all entries. A last line that a
        crash cut off is ignored.
        """
        try:
            with open(self.path, encoding="utf-8") as file:
                lines = file.read().split("\n")[:-1]
        except FileNotFoundError:
            raise NotFound(
                f"no run {self.run}", "'cephctl run list' shows those of this machine"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "not UTF-8"
            raise CephctlError(f"{self.path}: {reason}") from None
        values = [self.decoded(number, line) for number, line in enumerate(lines, start=1)]
        if not values or not isinstance(values[0], dict) or values[0].get("format") != FORMAT:
            raise CephctlError(f"{self.path}: not a journal of this version of cephctl")
        plan = self.parsed(Plan, values[0], 1)
        entries = [
            self.parsed(Entry, value, number) for number, value in enumerate(values[1:], start=2)
        ]
        skipped = {node: why for entry in entries for node, why in entry.skipped.items()}
        return plan.without(skipped), entries

    def decoded(self, number: int, line: str) -> object:
        try:
            value: object = json.loads(line)
        except (ValueError, RecursionError):
            raise CephctlError(f"{self.path}: line {number}: not JSON") from None
        return value

    def parsed(self, kind: type[T], value: object, number: int) -> T:
        try:
            return parse(kind, value)
        except Malformed as error:
            raise CephctlError(f"{self.path}: line {number}: {error}") from None

    # The old key

    def keep_key(self, text: str) -> None:
        """Keep the old key, readable by its owner only, until the run has ended."""
        with naming_errors(self.keyring):
            create(self.keyring, text)

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
        with naming_errors(self.keyring):
            with open(self.keyring, "r+b") as file:
                file.write(b"\0" * os.path.getsize(self.keyring))
                file.flush()
                os.fsync(file.fileno())
            os.unlink(self.keyring)
        return True

    # Who works on it

    @contextlib.contextmanager
    def alone(self) -> Iterator[None]:
        """One process at a time works on a run."""
        with open(self.path) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                raise Refused(
                    f"run {self.run} is in progress", f"watch it with: cephctl run show {self.run}"
                ) from None
            yield

    @property
    def is_running(self) -> bool:
        try:
            with self.alone():
                return False
        except Refused:
            return True


def state_of(journal: Journal, entries: Sequence[Entry]) -> RunState:
    """By its last word, and by whether a process works on it."""
    words = [LAST_WORDS[entry.event] for entry in entries if entry.event in LAST_WORDS]
    if words and words[-1].has_ended:
        return words[-1]
    if journal.is_running:
        return RunState.RUNNING
    last_is_word = bool(entries) and entries[-1].event in LAST_WORDS
    return words[-1] if last_is_word else RunState.INTERRUPTED


def direction_of(entries: Sequence[Entry]) -> Direction:
    """The last direction of a run."""
    ways = [entry.direction for entry in entries if entry.event is Event.BEGAN and entry.direction]
    return ways[-1] if ways else FORWARD


def journals(directory: str) -> list[Journal]:
    """All runs of this machine, the oldest first."""
    try:
        names = sorted(name for name in os.listdir(directory) if name.endswith(".jsonl"))
    except FileNotFoundError:
        return []
    except OSError as error:
        raise CephctlError(f"{directory}: {error.strerror}", HINT) from None
    return [Journal(directory, name.removesuffix(".jsonl")) for name in names]


def append(path: str, line: str) -> None:
    """One line, on disk when this returns; a half line that a crash left is cut off first."""
    file = os.open(path, os.O_RDWR | os.O_APPEND)
    try:
        size = os.fstat(file).st_size
        torn = size and os.pread(file, 1, size - 1) != b"\n"
        if torn:
            os.ftruncate(file, os.pread(file, size, 0).rfind(b"\n") + 1)
        os.write(file, line.encode() + b"\n")
        os.fsync(file)
    finally:
        os.close(file)


@contextlib.contextmanager
def naming_errors(path: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        hint = HINT if isinstance(error, PermissionError) else None
        raise CephctlError(
            f"the journal {error.filename or path} cannot be written: {error.strerror}", hint
        ) from None
