"""Work that may block for ever, in a child that is killed at its deadline and then abandoned, not
waited for.
"""

from __future__ import annotations

import json
import os
import select
import signal
import time
from typing import Any, Callable, TypeAlias

Say: TypeAlias = "Callable[[Any], None]"
"""Sends one JSON value to the parent."""


class Child:
    """One forked child. It sends JSON lines; the last one is its result. Its output is no part of
    ours, so that it cannot keep the SSH channel open when it outlives us in an unkillable sleep.
    """

    def __init__(self, work: Callable[[Say], None]) -> None:
        self.started = time.monotonic()
        self.messages: list[Any] = []
        self._rest = b""
        self._reader, writer = os.pipe()
        self.pid = os.fork()
        if not self.pid:
            try:
                os.close(self._reader)
                os.setsid()
                null = os.open(os.devnull, os.O_RDWR)
                for descriptor in (0, 1, 2):
                    os.dup2(null, descriptor)
                work(lambda message: write(writer, message))
            finally:
                os._exit(0)
        os.close(writer)

    def wait(self, end: float) -> bool:
        """Collect messages until the child has ended (True) or the time is over (False)."""
        while True:
            if not select.select([self._reader], [], [], max(0.0, end - time.monotonic()))[0]:
                return False
            chunk = os.read(self._reader, 65536)
            if not chunk:
                return True
            lines = (self._rest + chunk).split(b"\n")
            self._rest = lines.pop()
            self.messages += [json.loads(line.decode()) for line in lines]

    def abandon(self) -> None:
        """Kill it and look away: a process in an uninterruptible sleep dies when the kernel lets
        it.
        """
        try:
            os.kill(self.pid, signal.SIGKILL)
            os.close(self._reader)
        except OSError:
            return

    def where(self) -> dict[str, str | None]:
        """In which kernel function it sleeps."""
        facts: dict[str, str | None] = {"state": None, "wchan": None}
        try:
            with open(f"/proc/{self.pid}/stat") as file:
                facts["state"] = file.read().rpartition(")")[2].split()[0]
            with open(f"/proc/{self.pid}/wchan") as file:
                facts["wchan"] = file.read()
        except OSError:
            pass
        return facts


def bounded(work: Callable[[], Any], seconds: float) -> Any:
    """What a function returns, from a child that may block in the kernel. TimeoutError when it
    does.
    """
    child = Child(lambda say: say(outcome(work)))
    if not child.wait(time.monotonic() + seconds) or not child.messages:
        child.abandon()
        raise TimeoutError(f"no answer within {seconds:g} s")
    answer = child.messages[-1]
    if "error" in answer:
        raise OSError(answer["error"])
    return answer["value"]


def outcome(work: Callable[[], Any]) -> dict[str, Any]:
    try:
        return {"value": work()}
    except OSError as error:
        return {"error": error.strerror or str(error)}


def write(descriptor: int, message: Any) -> None:
    os.write(descriptor, json.dumps(message).encode() + b"\n")
