"""The way to a node through a command: a jump host, or what ProxyCommand says."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import tempfile
from typing import IO


class Proxy:
    """A running command whose stdin and stdout are `socket`'s other end. What it says on stderr is
    kept for the error.
    """

    def __init__(self, command: str) -> None:
        self.socket, theirs = socket.socketpair()
        self._said: IO[bytes] = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the command
        self._process = subprocess.Popen(
            ["/bin/sh", "-c", command],
            stdin=theirs.fileno(),
            stdout=theirs.fileno(),
            stderr=self._said,
            start_new_session=True,
        )
        theirs.close()

    def said(self) -> str:
        """The last thing that it complained of."""
        self._said.seek(0)
        lines = self._said.read().decode(errors="replace").strip().splitlines()
        return lines[-1] if lines else ""

    def close(self) -> None:
        self.socket.close()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, 15)
        try:
            self._process.wait(timeout=1)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, 9)
            self._process.wait()
        self._said.close()
