"""Run the real cephctl as a user does, and look at what came of it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema

from cephctl.schema import ANSWERS, schema

PROJECT = Path(__file__).resolve().parents[1]
PROGRAM = Path(sys.executable).with_name("cephctl")
# A safety net for what should never happen, not a measurement.
HANGS = 90


@dataclass(frozen=True)
class Result:
    """What a run printed, and its exit status."""

    status: int
    stdout: str
    stderr: str

    @property
    def json(self) -> Any:
        return json.loads(self.stdout)

    @property
    def output(self) -> str:
        return self.stdout + self.stderr


def check_answer(arguments: Sequence[str], output: str) -> None:
    """Whatever a command answers as JSON must be what `cephctl schema` says of it."""
    if "json" not in arguments or not output.startswith(("[", "{")):
        return
    words = [each for each in ANSWERS if is_command(each.split(), arguments)]
    if words:
        jsonschema.validate(json.loads(output), known_schema(max(words, key=len)))


def is_command(words: Sequence[str], arguments: Sequence[str]) -> bool:
    """Whether the words follow each other in the arguments."""
    places = range(len(arguments) - len(words) + 1)
    return any(list(arguments[at : at + len(words)]) == list(words) for at in places)


@cache
def known_schema(command: str) -> dict[str, Any]:
    return schema(command)


@dataclass(frozen=True)
class Cephctl:
    """The program with an environment of its own; nothing of the caller's configuration leaks
    in.
    """

    environment: Mapping[str, str] = field(default_factory=dict)
    enter: tuple[str, ...] = ()

    def __call__(self, *arguments: str, **environment: str) -> Result:
        done = subprocess.run(
            self.command(*arguments),
            env=self.variables(environment),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=HANGS,
            check=False,
        )
        assert "Traceback" not in done.stderr or "--debug" in arguments, done.stderr
        check_answer(arguments, done.stdout)
        return Result(done.returncode, done.stdout, done.stderr)

    def start(self, *arguments: str) -> subprocess.Popen[str]:
        """The program in a process group of its own, as a shell starts it."""
        return subprocess.Popen(
            self.command(*arguments),
            env=self.variables({}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )

    def command(self, *arguments: str) -> list[str]:
        return [*self.enter, str(PROGRAM), *arguments]

    def variables(self, more: Mapping[str, str]) -> dict[str, str]:
        plain = {"PATH": os.environ["PATH"], "HOME": "/nonexistent", "LANG": "C.UTF-8"}
        return plain | dict(self.environment) | dict(more)
