"""The least that Python can do over SSH: log in to every node, run a program there, read what it
prints. For tests/bench_ssh.py.

Run by the Python that runs the installed cephctl: bare.py PROGRAM KEY KNOWN_HOSTS PORT…
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import paramiko

AT_ONCE = 32


def ask(program: bytes, key: paramiko.PKey, known: paramiko.HostKeys, port: int) -> bytes:
    import paramiko

    client = paramiko.SSHClient()
    name = f"[127.0.0.1]:{port}"
    for kind, host_key in (known.lookup(name) or {}).items():
        client.get_host_keys().add(name, kind, host_key)
    try:
        client.connect("127.0.0.1", port, "root", pkey=key, allow_agent=False, look_for_keys=False)
        stdin, stdout, _ = client.exec_command("python3 -")
        stdin.write(program)
        stdin.channel.shutdown_write()
        return stdout.read()
    finally:
        client.close()


def main() -> None:
    import paramiko

    program = Path(sys.argv[1]).read_bytes()
    key, known = (
        paramiko.Ed25519Key.from_private_key_file(sys.argv[2]),
        paramiko.HostKeys(sys.argv[3]),
    )
    with ThreadPoolExecutor(AT_ONCE) as pool:
        answers = list(pool.map(partial(ask, program, key, known), map(int, sys.argv[4:])))
    sys.exit(not all(answers))


if __name__ == "__main__":
    main()
