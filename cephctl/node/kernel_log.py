"""The kernel's messages about Ceph, with their age."""

from __future__ import annotations

import errno
import os
import re
import time

from cephctl.node.mounts import Json

INTERESTING = re.compile(
    r"libceph:|\bceph:|ceph_|blocked for more than|Failed due to (key|expired|revoked)"
)
MOST_LINES = 300
RECORD = 8192


def kernel_log() -> list[Json]:
    """The last lines that concern Ceph: `age` in seconds, `text`. PermissionError where /dev/kmsg
    is not ours to read.
    """
    now = time.clock_gettime(time.CLOCK_MONOTONIC)
    descriptor = os.open("/dev/kmsg", os.O_RDONLY | os.O_NONBLOCK)
    found: list[Json] = []
    try:
        while True:
            try:
                record = os.read(descriptor, RECORD)
            except OSError as error:
                if error.errno == errno.EAGAIN:
                    break
                if error.errno == errno.EPIPE:
                    # The ring turned over while it was read.
                    continue
                raise
            head, _, text = record.decode(errors="replace").partition(";")
            line = text.split("\n", 1)[0]
            if INTERESTING.search(line):
                found.append(
                    {"age": round(now - int(head.split(",")[2]) / 1e6, 1), "text": line[:400]}
                )
    finally:
        os.close(descriptor)
    return found[-MOST_LINES:]
