"""Ceph work in a child process: the parent always has a deadline and always answers Ctrl-C.

Nothing bounds a libcephfs call, some abort the process, and Python's signal handlers never run
while one blocks (measured, 16.2.15). So librados and libcephfs live in a forked child that can be
stopped, and killed.
"""

from __future__ import annotations

import contextlib
import importlib
import math
import os
import pickle
import select
import signal
import struct
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NoReturn

from cephctl.ceph.messages import Done, Item, Mounted, Unmounted, Waiting
from cephctl.errors import CephctlError, Crashed, Unanswered, UsageError

GRACE = 0.5
"""Seconds that a worker between two calls gets to unmount before it is killed."""
_LENGTH = struct.Struct("<I")


Report = Callable[[object], None]
Job = Callable[[Report], Generator[Any, None, None]]


@dataclass(frozen=True)
class Limits:
    """`timeout` bounds each silence, for a long report may take its time; `total`, where it is
    given, bounds the whole.
    """

    timeout: float
    total: float = math.inf
    grace: float = GRACE


class Stopped(BaseException):
    """Raised in the worker by SIGTERM, between two calls: unmount and end."""


class Worker:
    """One forked child. It loads the Ceph libraries while it waits for its one job, then streams
    what the job yields.
    """

    def __init__(self, modules: Sequence[str] = ()) -> None:
        self._limits = Limits(0)
        self._waiting = Waiting("the worker", "start")
        self._buffer = b""
        self.session: Mounted | None = None
        jobs, self._jobs = os.pipe()
        self._results, results = os.pipe()
        sys.stdout.flush()
        sys.stderr.flush()
        self._pid = os.fork()
        if self._pid == 0:
            os.close(self._jobs)
            os.close(self._results)
            _live(jobs, results, modules)
        os.close(jobs)
        os.close(results)

    def start(self, job: Job, limits: Limits, debug: bool = False) -> None:
        """Send the worker its job. It travels pickled: functions of modules, and partials of
        them.
        """
        self._limits = limits
        # A worker that is dead already is found out by whoever waits for its results.
        with contextlib.suppress(BrokenPipeError):
            _send(self._jobs, (job, limits.timeout, debug))

    def results(self) -> Iterator[Any]:
        """What the job yields, as it comes.

        Raises the job's own error, `Unanswered` with what was waited for, or `Crashed`; the worker
        is gone by then, and `session` is the one it left behind, if it had to be killed with a
        mount.
        """
        end_of_all = time.monotonic() + self._limits.total
        try:
            while not isinstance(message := self._receive(self._limits.timeout, end_of_all), Done):
                match message:
                    case Waiting():
                        self._waiting = message
                    case Mounted():
                        self.session = message
                    case Unmounted():
                        self.session = None
                    case Item(value):
                        yield value
                    case CephctlError():
                        raise message
            # It has unmounted and is about to end: no need to wait for that.
            self._pid = 0
        finally:
            self._end(self._limits.grace)

    def _receive(self, timeout: float, end_of_all: float) -> object:
        end = min(time.monotonic() + timeout, end_of_all)
        while (message := self._buffered()) is None:
            if not select.select([self._results], [], [], max(0.0, end - time.monotonic()))[0]:
                raise Unanswered(self._waiting.whom, self._waiting.what, timeout)
            chunk = os.read(self._results, 1 << 20)
            if not chunk:
                raise self._death()
            self._buffer += chunk
        return message

    def _buffered(self) -> object | None:
        """The next message, if all of it has come."""
        if len(self._buffer) < _LENGTH.size:
            return None
        end = _LENGTH.size + _LENGTH.unpack_from(self._buffer)[0]
        if len(self._buffer) < end:
            return None
        message: object = pickle.loads(self._buffer[_LENGTH.size : end])  # noqa: S301 - our own child wrote it
        self._buffer = self._buffer[end:]
        return message

    def _death(self) -> CephctlError:
        """The pipe closed before the job was done: the library took the process down."""
        _, status = os.waitpid(self._pid, 0)
        self._pid = 0
        doing = f"while waiting for {self._waiting.whom} to {self._waiting.what}"
        if os.WIFSIGNALED(status):
            return Crashed(
                f"the Ceph library crashed ({signal.Signals(os.WTERMSIG(status)).name}) {doing}"
            )
        return Crashed(f"the Ceph worker ended without an answer {doing}")

    def _end(self, grace: float) -> None:
        """Ask the worker to stop, give it time to unmount, then kill it. A second Ctrl-C must not
        leave it behind.
        """
        os.close(self._results)
        os.close(self._jobs)
        if not self._pid:
            return
        at_interrupt = signal.signal(signal.SIGINT, signal.SIG_IGN)
        if not self._ended_within(0.01):
            os.kill(self._pid, signal.SIGTERM)
            if not self._ended_within(grace):
                os.kill(self._pid, signal.SIGKILL)
                os.waitpid(self._pid, 0)
        self._pid = 0
        signal.signal(signal.SIGINT, at_interrupt)

    def _ended_within(self, seconds: float) -> bool:
        end = time.monotonic() + seconds
        while True:
            pid, status = os.waitpid(self._pid, os.WNOHANG)
            if pid:
                if os.WIFEXITED(status):
                    self.session = None
                return True
            if time.monotonic() > end:
                return False
            time.sleep(0.002)


_prepared: list[Worker] = []


def prepare(modules: Sequence[str]) -> None:
    """Fork a worker now, so that it imports these modules (70 ms) while this process reads its
    command line.
    """
    _prepared.append(Worker(modules))


def worker() -> Worker:
    """The prepared worker, or a new one."""
    return _prepared.pop() if _prepared else Worker()


def _live(jobs: int, results: int, modules: Sequence[str]) -> NoReturn:
    """The child's whole life. It never returns to the parent's code, whatever happens."""
    try:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGTERM, _stop)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        # A machine without the bindings reports that when a job is run.
        with contextlib.suppress(ImportError):
            for name in modules:
                importlib.import_module(name)
        if request := _read_job(jobs):
            _work(*request, results)
    except (Stopped, BrokenPipeError):
        os._exit(1)
    finally:
        os._exit(0)


def _read_job(jobs: int) -> tuple[Job, float, bool] | None:
    """The job, or None when the parent ended without one."""
    with os.fdopen(jobs, "rb") as pipe:
        header = pipe.read(_LENGTH.size)
        if len(header) < _LENGTH.size:
            return None
        request: tuple[Job, float, bool] = pickle.loads(pipe.read(_LENGTH.unpack(header)[0]))  # noqa: S301
        return request


def _work(job: Job, timeout: float, debug: bool, results: int) -> None:
    def report(message: object) -> None:
        # Should the parent be dead and the next call block, the kernel ends this process.
        signal.alarm(int(timeout) + 5)
        _send(results, message)

    try:
        _silence(debug)
        with contextlib.closing(job(report)) as items:
            for item in items:
                report(Item(item))
        report(Done())
    except CephctlError as error:
        report(error)
    except ImportError as error:
        report(
            UsageError(
                f"no Python module {error.name}", "apt-get install python3-rados python3-cephfs"
            )
        )
    except Exception as error:  # noqa: BLE001 - the parent must hear of any
        import traceback

        trace = (
            "".join(traceback.format_exception(error))
            if debug
            else "run it again with --debug to see where"
        )
        report(Crashed(f"a bug in cephctl: {type(error).__name__}: {error}", trace))


def _send(pipe: int, message: object) -> None:
    data = pickle.dumps(message)
    data = _LENGTH.pack(len(data)) + data
    while data:
        data = data[os.write(pipe, data) :]


def _stop(number: int, frame: object) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Stopped


def _silence(debug: bool) -> None:
    """Librados and libcephfs write to stderr as they please; what matters comes back as an
    error.
    """
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1) if debug else (0, 1, 2):
        os.dup2(null, descriptor)
