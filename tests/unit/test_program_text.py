"""What is sent to a node runs there as it is sent: all modules, under a bare Python."""

from __future__ import annotations

import json
import subprocess

from cephctl.ssh.program import MARK, MODULES, program


def test_all_modules_load_and_one_answers() -> None:
    text = program(f"{MODULES[-1]}.seconds", "1min 30s")
    done = subprocess.run(["/usr/bin/python3", "-I", "-S", "-"], input=text, capture_output=True, timeout=60, check=False)
    assert done.stderr == b""
    assert json.loads(done.stdout.decode().strip().removeprefix(MARK)) == {"answer": 90}
