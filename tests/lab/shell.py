"""Run programs for the lab, and stop with one clear line when something is missing."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path


class LabError(Exception):
    """What the lab cannot do, in one line, with what to do about it."""


def run(*command: str | Path, stdin: str | bytes | None = None, timeout: float = 900) -> str:
    """Run a program and return what it printed; a failure is a LabError with the end of its
    stderr.
    """
    data = stdin.encode() if isinstance(stdin, str) else stdin
    try:
        done = subprocess.run(
            [str(word) for word in command],
            input=data or b"",
            capture_output=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise LabError(f"{command[0]} is not installed; run 'make lab-packages' as root") from None
    except subprocess.TimeoutExpired:
        raise LabError(f"{words(command[:6])} … gave no answer in {timeout:.0f} s") from None
    if done.returncode:
        said = (done.stderr or done.stdout).decode(errors="replace").strip().splitlines()[-3:]
        raise LabError(f"{words(command[:6])} … failed ({done.returncode}): {' | '.join(said)}")
    return done.stdout.decode(errors="replace")


def need(programs: dict[str, str]) -> None:
    """Stop unless every program (name → Debian package) is there."""
    missing = sorted(
        {package for name, package in programs.items() if not shutil.which(name, path=SEARCH)}
    )
    if missing:
        raise LabError(f"missing packages: {' '.join(missing)}; run 'make lab-packages' as root")


THREADS = 17
"""The field of /proc/PID/stat behind the name that counts the threads."""
SEARCH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


def wait_until(what: str, happened: Callable[[], bool], timeout: float, every: float = 0.2) -> None:
    """Wait for a condition; say what did not happen when the time is over."""
    end = time.monotonic() + timeout
    while not happened():
        if time.monotonic() > end:
            raise LabError(f"{what}: not within {timeout:.0f} s")
        time.sleep(every)


def pid_of(pidfile: Path, program: str) -> int | None:
    """The live process a pid file names, if it still is that program."""
    try:
        pid = int(pidfile.read_text())
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (OSError, ValueError):
        return None
    return pid if program.encode() in command else None


def find_process(*command: str) -> int | None:
    """The living process with exactly this command line."""
    for name in os.listdir("/proc"):
        try:
            words_there = (
                Path(f"/proc/{name}/cmdline").read_bytes().rstrip(b"\0").split(b"\0")
                if name.isdigit()
                else []
            )
        except OSError:
            continue
        if [word.decode(errors="replace") for word in words_there] == list(command) and is_alive(
            int(name)
        ):
            return int(name)
    return None


@contextlib.contextmanager
def locked(file: Path) -> Iterator[None]:
    """One process or thread at a time; the others wait."""
    with open(file, "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def stop_pid(pid: int | None, seconds: float = 10) -> None:
    """End one process: asked first, killed at the deadline. A frozen one is thawed to hear the
    request.
    """
    if pid is None:
        return
    try:
        os.kill(pid, signal.SIGTERM)
        os.kill(pid, signal.SIGCONT)
        end = time.monotonic() + seconds
        while time.monotonic() < end and is_alive(pid):
            time.sleep(0.05)
        if is_alive(pid):
            os.kill(pid, signal.SIGKILL)
    except ProcessLookupError:
        return


def is_alive(pid: int) -> bool:
    """A zombie counts as ended, once its last thread has let go of files and locks."""
    try:
        fields = stat_fields(pid)
        return fields[0] != "Z" or int(fields[THREADS]) > 1
    except OSError:
        return False


def stat_fields(pid: int) -> list[str]:
    """What /proc says of a process behind its name: the state's letter comes first."""
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()


def words(values: Sequence[object]) -> str:
    return " ".join(str(value) for value in values)
