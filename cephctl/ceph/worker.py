"""Ceph work in a child process: the parent always has a deadline and always answers Ctrl-C.

Nothing bounds a libcephfs call, some abort the process, and Python's signal handlers never run while one blocks
(measured, 16.2.15). So librados and libcephfs live in a forked child that can be stopped, and killed.
"""

from __future__ import annotations

import contextlib
import math
import os
import pickle
import select
import signal
import struct
import sys
import time
import traceback
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass
from typing import Any, NoReturn

from cephctl.errors import CephctlError, Crashed, Unanswered

GRACE = 0.5
"""Seconds that a worker between two calls gets to unmount before it is killed."""
_LENGTH = struct.Struct("<I")


@dataclass(frozen=True)
class Waiting:
    """The worker is about to make a call that may block: on whom, and what for."""

    whom: str
    what: str


@dataclass(frozen=True)
class Mounted:
    """The worker holds an MDS session, which somebody has to evict should it be killed."""

    client_id: int
    daemons: tuple[str, ...]


@dataclass(frozen=True)
class Unmounted:
    """The session is closed again."""


@dataclass(frozen=True)
class Done:
    """Nothing more comes."""


Report = Callable[[object], None]
Job = Callable[[Report], Generator[Any, None, None]]


class Stopped(BaseException):
    """Raised in the worker by SIGTERM, between two calls: unmount and end."""


class Worker:
    """One forked child that runs a job and streams what it yields.

    `timeout` bounds each silence, for a long report may take its time; `total`, where it is given, bounds the whole.
    """

    def __init__(self, job: Job, timeout: float, *, total: float | None = None, grace: float = GRACE, debug: bool = False) -> None:  # fmt: skip
        self._timeout = timeout
        self._end_of_all = time.monotonic() + total if total is not None else math.inf
        self._grace = grace
        self._waiting = Waiting("the worker", "start")
        self.session: Mounted | None = None
        self._buffer = b""
        reader, writer = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self.pid = os.fork()
        if self.pid == 0:
            os.close(reader)
            _run(job, writer, timeout, debug)
        os.close(writer)
        self._pipe = reader

    def results(self) -> Iterator[Any]:
        """What the job yields, as it comes.

        Raises the job's own error, `Unanswered` with what was waited for, or `Crashed`; the worker is gone by then, and
        `session` is the one it left behind, if it had to be killed with a mount.
        """
        try:
            while not isinstance(message := self._receive(), Done):
                match message:
                    case Waiting():
                        self._waiting = message
                    case Mounted():
                        self.session = message
                    case Unmounted():
                        self.session = None
                    case CephctlError():
                        raise message
                    case _:
                        yield message
        finally:
            self._end()

    def _receive(self) -> object:
        end = min(time.monotonic() + self._timeout, self._end_of_all)
        size = _LENGTH.size
        while True:
            if len(self._buffer) >= size:
                (length,) = _LENGTH.unpack_from(self._buffer)
                if len(self._buffer) >= size + length:
                    message = pickle.loads(self._buffer[size : size + length])  # noqa: S301 - our own child wrote it
                    self._buffer = self._buffer[size + length :]
                    return message
            if not select.select([self._pipe], [], [], max(0.0, end - time.monotonic()))[0]:
                raise Unanswered(self._waiting.whom, self._waiting.what, self._timeout)
            chunk = os.read(self._pipe, 1 << 20)
            if not chunk:
                raise self._death()
            self._buffer += chunk

    def _death(self) -> CephctlError:
        """The pipe closed before the job was done: the library took the process down."""
        _, status = os.waitpid(self.pid, 0)
        self.pid = 0
        doing = f"while waiting for {self._waiting.whom} to {self._waiting.what}"
        if os.WIFSIGNALED(status):
            return Crashed(f"the Ceph library crashed ({signal.Signals(os.WTERMSIG(status)).name}) {doing}")
        return Crashed(f"the Ceph worker ended without an answer {doing}")

    def _end(self) -> None:
        """Ask the worker to stop, give it time to unmount, then kill it. A second Ctrl-C must not leave it behind."""
        os.close(self._pipe)
        if not self.pid:
            return
        at_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self._ended_within(0.01):
            os.kill(self.pid, signal.SIGTERM)
            if self._ended_within(self._grace):
                self.session = None
            else:
                os.kill(self.pid, signal.SIGKILL)
                os.waitpid(self.pid, 0)
        self.pid = 0
        signal.signal(signal.SIGINT, at_interrupt)

    def _ended_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            if os.waitpid(self.pid, os.WNOHANG)[0]:
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.002)


def _run(job: Job, pipe: int, timeout: float, debug: bool) -> NoReturn:
    """The child's whole life. It never returns to the parent's code, whatever happens."""

    def report(message: object) -> None:
        # Should the parent be dead and the next call block, the kernel ends this process.
        signal.alarm(int(timeout) + 5)
        data = pickle.dumps(message)
        data = _LENGTH.pack(len(data)) + data
        while data:
            data = data[os.write(pipe, data) :]

    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        _silence(debug)
        with contextlib.closing(job(report)) as items:
            for item in items:
                report(item)
        report(Done())
    except (Stopped, BrokenPipeError):
        os._exit(1)
    except CephctlError as error:
        report(error)
    except BaseException as error:
        trace = "".join(traceback.format_exception(error)) if debug else None
        report(Crashed(f"a bug in cephctl: {type(error).__name__}: {error}", trace))
    finally:
        os._exit(0)


def _stop(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _silence(debug: bool) -> None:
    """librados and libcephfs write to stderr as they please; what matters comes back as an error."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1) if debug else (0, 1, 2):
        os.dup2(null, descriptor)
