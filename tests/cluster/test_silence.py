"""A daemon that is frozen, killed or never was there: every command ends and names it."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.cluster import commands
from tests.cluster.conftest import Site
from tests.cluster.storage import mds_commands, session_of
from tests.command import Cephctl
from tests.lab.ceph import Cluster
from tests.lab.shell import is_alive, stat_fields, wait_until

TIMEOUT = ("--timeout", "2")
MDS_COMMANDS = tuple(
    command
    for command in commands.ALL
    if command[0] != "cluster" and command[:2] != ("keys", "caps")
)


@contextmanager
def frozen(cluster: Cluster, daemon: str) -> Iterator[None]:
    cluster.send(daemon, signal.SIGSTOP)
    try:
        yield
    finally:
        cluster.send(daemon, signal.SIGCONT)


@pytest.fixture
def healthy_again(cluster: Cluster) -> Iterator[None]:
    yield
    wait_until("a healthy cluster", cluster.is_ready, 90)


@pytest.mark.parametrize("command", commands.ALL, ids=commands.name)
def test_mon_frozen(site: Site, command: tuple[str, ...]) -> None:
    with frozen(site.cluster, "mon.a"):
        result = site.cephctl(*command, *TIMEOUT)
    assert result.status == 4
    assert result.stdout == ""
    assert f"monitor {site.cluster.address} did not answer within 2 s" in result.stderr
    assert "sends no banner" in result.stderr


@pytest.mark.parametrize("command", MDS_COMMANDS, ids=commands.name)
def test_mds_frozen(site: Site, command: tuple[str, ...], healthy_again: None) -> None:
    mds = site.cluster.active_mds()
    with frozen(site.cluster, mds):
        result = site.cephctl(*command, *TIMEOUT)
    assert result.status == 4
    assert f"{mds} did not answer within 2 s" in result.stderr
    assert f"{mds} at {site.cluster.address}:" in result.stderr
    if command == ("mds", "status"):
        assert mds.removeprefix("mds.") in result.stdout


@pytest.mark.parametrize("command", commands.TENANT, ids=commands.name)
def test_osd_frozen_is_named_though_the_mds_is_asked(site: Site, command: tuple[str, ...]) -> None:
    """A mount needs the MDS to write its journal: the MDS is silent, the OSD is why."""
    with frozen(site.cluster, "osd.0"):
        result = site.cephctl(*command, *TIMEOUT)
    assert result.status == 4
    assert f"osd.0 at {site.cluster.address}:" in result.stderr


@pytest.mark.parametrize("command", commands.READS, ids=commands.name)
def test_mgr_frozen_does_not_matter(site: Site, command: tuple[str, ...]) -> None:
    with frozen(site.cluster, "mgr.x"):
        assert site.cephctl(*command).status == 0


def test_mds_killed_and_no_standby(site: Site, healthy_again: None) -> None:
    active = site.cluster.active_mds()
    standby = ({"mds.a", "mds.b"} - {active}).pop()
    try:
        site.cluster.send(standby, signal.SIGKILL)
        site.cluster.send(active, signal.SIGKILL)
        site.cluster.ceph("mds", "fail", standby.removeprefix("mds."))
        result = site.cephctl("tenant", "usage", *TIMEOUT)
        assert result.status == 4
        assert active in result.stderr
        assert "refused" in result.stderr
        site.cluster.ceph("mds", "fail", active.removeprefix("mds."))
        for command in commands.TENANT:
            result = site.cephctl(*command, *TIMEOUT)
            assert result.status == 4
            assert "rank 0 has no MDS" in result.stderr
        shown = site.cephctl("mds", "status", "-f", "json")
        assert shown.status == 3, "MDS_ALL_DOWN is an error"
        assert shown.json["daemons"][0]["state"] == "failed"
        assert "MDS_ALL_DOWN" in [finding["code"] for finding in shown.json["findings"]]
        assert site.cephctl("mds", "status", "--fail-on", "never").status == 0
        assert site.cephctl("mds", "sessions").status == 4
    finally:
        site.cluster.start(active)
        site.cluster.start(standby)


def test_a_frozen_mds_that_nobody_can_replace_is_an_error(site: Site, healthy_again: None) -> None:
    """After 15 s the monitors call it laggy, and its rank still reads up:active."""
    active = site.cluster.active_mds()
    standby = ({"mds.a", "mds.b"} - {active}).pop()
    try:
        site.cluster.send(standby, signal.SIGKILL)
        site.cluster.ceph("mds", "fail", standby.removeprefix("mds."))
        with frozen(site.cluster, active):
            wait_until(
                "a laggy MDS",
                lambda: (
                    '"laggy": true' in site.cephctl("mds", "status", "-f", "json", *TIMEOUT).stdout
                ),
                60,
            )
            shown = site.cephctl("mds", "status", "-f", "json")
            assert shown.status == 3
            assert (shown.json["daemons"][0]["state"], shown.json["daemons"][0]["laggy"]) == (
                "up:active",
                True,
            )
            codes = {finding["code"]: finding["severity"] for finding in shown.json["findings"]}
            assert codes["MDS_LAGGY"] == "HEALTH_ERR"
            assert {"MDS_NO_STANDBY", "MDS_INSUFFICIENT_STANDBY"} & set(codes)
            for command in (("mds", "sessions"), *commands.TENANT):
                result = site.cephctl(*command, *TIMEOUT)
                assert result.status == 4
                assert active in result.stderr
    finally:
        site.cluster.start(standby)


def test_mon_killed(site: Site) -> None:
    try:
        site.cluster.send("mon.a", signal.SIGKILL)
        for command in commands.ALL:
            result = site.cephctl(*command, "--timeout", "1")
            assert result.status == 4
            assert "refused" in result.stderr
    finally:
        site.cluster.start("mon.a")
        wait_until("the mon", site.cluster.is_ready, 60)


def test_nothing_ever_there(site: Site) -> None:
    conf = site.config.with_name("ceph.conf")
    conf.write_text("[global]\nmon host = 127.0.0.1:1\n")
    for command in commands.ALL:
        result = site.cephctl(*command, "-c", str(conf), "--timeout", "1")
        assert result.status == 4
        assert "monitor at 127.0.0.1:1 connection refused" in result.stderr


@pytest.mark.parametrize(
    "command", [("tenant", "usage"), ("mds", "sessions"), ("mds", "status")], ids=commands.name
)
def test_ctrl_c_ends_it_and_nothing_stays(
    site: Site, command: tuple[str, ...], healthy_again: None
) -> None:
    with frozen(site.cluster, site.cluster.active_mds()):
        program = site.cephctl.start(*command, "--timeout", "60")
        wait_until("the worker to hang", lambda: hangs(program.pid), 20)
        os.killpg(program.pid, signal.SIGINT)
        _, stderr = program.communicate(timeout=60)
    assert program.returncode == 130
    assert "interrupted" in stderr
    assert "Traceback" not in stderr
    assert not group(program.pid)


def test_a_killed_cephctl_leaves_no_worker_and_no_session(site: Site, healthy_again: None) -> None:
    """kill -9 of the parent: the worker notices, unmounts and ends."""
    site.storage.make_directories([f"/many{number}" for number in range(600)])
    with mds_commands(site.cluster) as ask:
        program = site.cephctl.start("tenant", "usage")
        wait_until(
            "its session", lambda: session_of(ask, group(program.pid)) is not None, 20, every=0.001
        )
        processes = group(program.pid)
        os.kill(program.pid, signal.SIGKILL)
        program.communicate(timeout=60)
        wait_until("the end of the worker", lambda: not group(program.pid), 30)
        wait_until("the end of the session", lambda: session_of(ask, processes) is None, 10)


def hangs(pid: int) -> bool:
    """The worker has been at work: it exists and has a socket to the cluster open."""
    workers = [each for each in group(pid) if each != pid]
    return (
        bool(workers)
        and any("socket" in link for link in links(workers[0]))
        and settled(workers[0])
    )


def settled(pid: int) -> bool:
    """Nothing moves any more: the process has used no CPU for a while."""
    first = cpu_time(pid)
    time.sleep(0.3)
    return cpu_time(pid) == first


def cpu_time(pid: int) -> str:
    return " ".join(stat_fields(pid)[11:13])


def links(pid: int) -> list[str]:
    folder = f"/proc/{pid}/fd"
    found = []
    for name in os.listdir(folder):
        try:
            found.append(os.readlink(f"{folder}/{name}"))
        except FileNotFoundError:
            continue
    return found


def group(leader: int) -> list[int]:
    """Living processes of a process group."""
    found = []
    for name in os.listdir("/proc"):
        if name.isdigit() and is_alive(int(name)):
            try:
                if os.getpgid(int(name)) == leader:
                    found.append(int(name))
            except ProcessLookupError:
                continue
    return found


def test_output_to_a_closed_pipe(cephctl: Cephctl) -> None:
    program = cephctl.start("tenant", "usage")
    assert program.stdout is not None
    program.stdout.close()
    assert program.wait(60) == 0
    assert program.stderr is not None
    assert "Error" not in program.stderr.read()
