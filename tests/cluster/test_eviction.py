"""Our own client, evicted in mid-operation: libcephfs then lists a directory as if it were over."""

from __future__ import annotations

import os
import signal

import pytest

from tests.cluster.conftest import Site
from tests.cluster.storage import mds_commands, session_of
from tests.cluster.test_silence import group
from tests.lab.shell import wait_until

MANY = 3000


@pytest.mark.parametrize("command", [("tenant", "usage"), ("tenant", "list")], ids="-".join)
def test_an_evicted_listing_is_an_error_and_never_short(
    site: Site, command: tuple[str, ...]
) -> None:
    site.storage.make_directories([f"/t{number:05}" for number in range(MANY)])
    with mds_commands(site.cluster) as ask:
        program = site.cephctl.start(*command, "-f", "csv")
        wait_until(
            "its session", lambda: session_of(ask, group(program.pid)) is not None, 20, every=0.001
        )
        worker = next(pid for pid in group(program.pid) if pid != program.pid)
        os.kill(worker, signal.SIGSTOP)
        ask("client evict", filters=[f"id={session_of(ask, [worker])}"])
        os.kill(worker, signal.SIGCONT)
        stdout, stderr = program.communicate(timeout=60)
    assert program.returncode in (1, 5), stderr
    assert "evicted and blocklisted" in stderr
    assert len(stdout.splitlines()) < MANY


def test_a_crash_of_the_library_is_an_error(site: Site) -> None:
    site.storage.make_directories([f"/t{number:05}" for number in range(MANY)])
    program = site.cephctl.start("tenant", "usage")
    wait_until("the worker", lambda: len(group(program.pid)) == 2, 20, every=0.001)
    worker = next(pid for pid in group(program.pid) if pid != program.pid)
    os.kill(worker, signal.SIGABRT)
    _, stderr = program.communicate(timeout=60)
    assert program.returncode == 1
    assert "the Ceph library crashed (SIGABRT)" in stderr
    assert "Traceback" not in stderr
