"""`python3 -m cephctl`, and the entry point of the `cephctl` script."""

from __future__ import annotations

import os
import sys

WORKERS_MODULES = (
    "rados",
    "cephfs",
    "cephctl.ceph.ask",
    "cephctl.ceph.filesystem",
    "cephctl.ceph.login",
)
"""What a worker imports while this process reads its command line."""
# Nouns whose verbs ask the cluster.
ASKING = {"tenant", "node", "keys", "mds", "cluster"}


def main() -> None:
    open_streams()
    arguments = set(sys.argv[1:])
    if arguments & ASKING and not arguments & {"-h", "--help", "--version"}:
        from cephctl.ceph.worker import prepare

        # Before anything else is imported: loading the Ceph libraries takes as long as all the
        # rest.
        prepare(WORKERS_MODULES)
    from cephctl.cli import execute

    status = execute(sys.argv[1:])
    sys.stderr.flush()
    # Everything is written, or cannot be: the interpreter's own end would only take time, or fail
    # at it again.
    os._exit(status)


def open_streams() -> None:
    """Streams that take any text, also where the caller closed them or the locale is a poor one."""
    for name in ("stdin", "stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "r" if name == "stdin" else "w"))  # noqa: SIM115 - for the whole run
        elif name != "stdin":
            stream.reconfigure(errors="backslashreplace")


if __name__ == "__main__":
    main()
