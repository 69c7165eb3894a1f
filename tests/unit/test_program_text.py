"""What is sent to a node runs there as it is sent: all modules, under a bare Python."""

from __future__ import annotations

import json
import subprocess
from typing import Any

from cephctl.ssh.program import MARK, MODULES, program


def test_a_function_of_one_module_answers() -> None:
    assert answer("systemd.seconds_of", "1min 30s") == {"answer": 90.0}


def test_all_modules_load() -> None:
    assert answer(f"{MODULES[-1]}.entity_of", {"super_options": ["rw", "name=web"]}) == {
        "answer": "client.web"
    }


def answer(function: str, argument: Any) -> Any:
    text = program(function, argument)
    done = subprocess.run(
        ["/usr/bin/python3", "-I", "-S", "-"],
        input=text,
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.stderr == b""
    return json.loads(done.stdout.decode().strip().removeprefix(MARK))
