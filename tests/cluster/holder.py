"""A client that mounts the file system and holds its session until it is told to end: CONF ENTITY,
its key on stdin.
"""

from __future__ import annotations

import signal
import sys

import cephfs


def main() -> None:
    conf, entity = sys.argv[1:]
    client = cephfs.LibCephFS(auth_id=entity.partition(".")[2], conffile=conf)
    client.conf_set("key", sys.stdin.readline().strip())
    client.conf_set("client_mount_timeout", "10")
    client.conf_set("client_shutdown_timeout", "2")
    client.mount()
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM})
    print("ready", flush=True)
    signal.sigwait({signal.SIGTERM})
    client.unmount()
    client.shutdown()


if __name__ == "__main__":
    main()
