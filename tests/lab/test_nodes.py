"""Changes to real web nodes: remount, mount, umount, push, eviction, blocklist; and what they
refuse.
"""

from __future__ import annotations

import hashlib
import json
import shlex
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.command import Result
from tests.lab import site
from tests.lab.conftest import FAILED, Lab
from tests.lab.faults.fault import KEYRING, NODE, PATH, SECRET, UNIT, Scene
from tests.lab.shell import wait_until

CONFIRMED = "--yes"


@pytest.fixture
def scene(healthy: Lab, request: pytest.FixtureRequest) -> Iterator[Scene]:
    played = Scene(healthy)
    played.set_clocks()
    yield played
    if request.node.stash[FAILED]:
        played.restore()
        played.wait_until_healthy()


def node(scene: Scene, *words: str) -> Result:
    return scene.lab.cephctl("node", *words)


def instances(scene: Scene, name: str = NODE) -> list[str]:
    return [str(row["address"]) for row in node(scene, "sessions", name, "-f", "json").json]


def instance(scene: Scene, name: str = NODE) -> str:
    [address] = instances(scene, name)
    return address


@pytest.mark.both
def test_a_remount_is_a_new_client_and_everything_runs_again(scene: Scene) -> None:
    before = instance(scene)
    done = node(scene, "remount", NODE, CONFIRMED, "-f", "json")
    assert done.status == 0, done.stderr
    [change] = done.json
    assert (change["result"], change["state"], change["instance_before"]) == (
        "remounted",
        "mounted",
        before,
    )
    assert change["instance_after"] == instance(scene) != before
    assert scene.on("systemctl is-active nginx node-agent var-www-storage.mount") == 0
    assert change["stopped"] == change["zombies"] == []


def test_a_dry_run_shows_the_ladder_and_touches_nothing(scene: Scene) -> None:
    before = instance(scene)
    shown = node(scene, "remount", NODE, "--dry-run")
    assert shown.status == 0
    for step in (
        "stop nginx.service node-agent.service",
        f"umount {PATH}",
        "systemctl start var-www-storage.mount",
        "verify",
    ):
        assert step in shown.stdout
    assert instance(scene) == before


def test_without_a_terminal_it_wants_yes(scene: Scene) -> None:
    before = instance(scene)
    refused = node(scene, "remount", NODE)
    assert (refused.status, "--yes" in refused.stderr) == (2, True)
    assert instance(scene) == before


def test_a_shell_in_the_mount_is_named_and_ended_only_when_asked(scene: Scene) -> None:
    scene.on(
        f"systemd-run --scope --unit shell sh -c 'cd {PATH}/acme && exec sleep 600' "
        ">/dev/null 2>&1 &"
    )
    wait_until(
        "the shell", lambda: scene.on("systemctl is-active shell.scope", check=False) == 0, 20
    )
    refused = node(scene, "remount", NODE, CONFIRMED)
    assert refused.status == 6
    assert "sleep (" in refused.stderr
    assert f"uses {PATH}/acme" in refused.stderr
    done = node(scene, "remount", NODE, CONFIRMED, "--kill")
    assert done.status == 0, done.stderr
    assert scene.on("systemctl is-active shell.scope", check=False) != 0


def test_a_mount_that_would_not_come_up_is_not_taken_away(scene: Scene) -> None:
    scene.on(f"mv {SECRET} {SECRET}.away")
    before = instance(scene)
    refused = node(scene, "remount", NODE, CONFIRMED)
    assert refused.status == 6
    assert "SECRET_MISSING" in refused.stderr
    assert f"cephctl node push {NODE}" in refused.stderr
    assert instance(scene) == before
    scene.on(f"mv {SECRET}.away {SECRET}")


def test_a_mount_that_does_not_come_up_is_said_with_the_doctors_words(scene: Scene) -> None:
    scene.on(f"rm {SECRET}")
    failed = node(scene, "remount", NODE, "web-1-node-2", CONFIRMED, "--force")
    assert failed.status == 1, failed.stdout
    assert f"{NODE}: remount failed" in failed.stderr
    assert "it is not mounted; stopped: nginx.service, node-agent.service" in failed.stderr
    assert "skipped: web-1-node-2" in failed.stderr
    assert "SECRET_MISSING" in failed.stderr
    pushed = node(scene, "push", NODE, CONFIRMED, "-f", "json")
    assert [change["path"] for change in pushed.json] == [SECRET]
    mounted = node(scene, "mount", NODE, CONFIRMED)
    assert mounted.status == 0, mounted.stderr
    assert scene.on("systemctl is-active nginx node-agent") == 0


def test_umount_leaves_it_unmounted_and_mount_brings_all_back(scene: Scene) -> None:
    done = node(scene, "umount", NODE, CONFIRMED, "-f", "json")
    assert done.status == 0, done.stderr
    assert done.json[0]["state"] == "not mounted"
    assert set(done.json[0]["stopped"]) == {"nginx.service", "node-agent.service"}
    assert node(scene, "umount", NODE, CONFIRMED).status == 6
    assert node(scene, "health", NODE).status == 3
    assert node(scene, "mount", NODE, CONFIRMED).status == 0
    assert node(scene, "mount", NODE, CONFIRMED).status == 6
    assert scene.on("systemctl is-active nginx node-agent") == 0


def test_all_nodes_one_after_the_other(scene: Scene) -> None:
    before = {name: instance(scene, name) for name in scene.lab.nodes}
    done = node(scene, "remount", "web-1", CONFIRMED, "-f", "json")
    assert done.status == 0, done.stderr
    assert [change["node"] for change in done.json] == list(before)
    assert all(change["instance_after"] != before[change["node"]] for change in done.json)


def test_a_hanging_mount_is_taken_away_all_the_same(scene: Scene) -> None:
    """Both MDS frozen, a process hangs in the mount: the umount may not hang with it."""
    active = scene.lab.cluster.active_mds()
    scene.freeze(*sorted(("mds.a", "mds.b"), key=lambda name: name == active))
    try:
        scene.on(f"systemd-run --unit hanging stat --cached=never {PATH}/acme", check=False)
        done = node(scene, "umount", NODE, CONFIRMED, "--timeout", "3")
        assert done.status == 0, done.stderr
        assert scene.on(f"grep -q ' {PATH} ' /proc/self/mountinfo", check=False) == 1
    finally:
        scene.restart_both_mds()
    wait_until("the file system", scene.lab.cluster.is_ready, 120, every=1)
    mounted = node(scene, "mount", NODE, CONFIRMED)
    assert mounted.status == 0, mounted.stderr
    # The hanging process ends now, and with it the former client.
    wait_until("one client again", lambda: len(instances(scene)) == 1, 90, every=1)


LOCK_HOLDER = """
import fcntl, os, time
os.makedirs("/run/cephctl", exist_ok=True)
lock = os.open("/run/cephctl/mount.lock", os.O_RDWR | os.O_CREAT)
fcntl.lockf(lock, fcntl.LOCK_EX)
open("/run/cephctl/is-locked", "w").close()
time.sleep(120)
"""


def test_a_second_operator_is_told_and_changes_nothing(scene: Scene) -> None:
    before = instance(scene)
    scene.on("rm -f /run/cephctl/is-locked")
    scene.on(f"systemd-run --unit lock-holder python3 -c {shlex.quote(LOCK_HOLDER)}")
    try:
        wait_until(
            "the lock", lambda: scene.on("test -e /run/cephctl/is-locked", check=False) == 0, 30
        )
        second = node(scene, "remount", NODE, CONFIRMED)
    finally:
        scene.on("systemctl stop lock-holder", check=False)
    assert second.status == 1, second.output
    assert "another cephctl is changing this node's mount" in second.stderr
    assert instance(scene) == before
    assert scene.on("systemctl is-active nginx node-agent var-www-storage.mount") == 0
    done = node(scene, "remount", NODE, CONFIRMED)
    assert done.status == 0, done.stderr
    assert instance(scene) != before


def test_the_ladder_is_climbed_to_its_end_though_cephctl_dies(scene: Scene) -> None:
    before = instance(scene)
    program = scene.lab.cephctl.start("node", "remount", NODE, CONFIRMED)
    wait_until(
        "the stop of nginx",
        lambda: scene.on("systemctl is-active nginx", check=False) != 0,
        60,
        every=0.1,
    )
    program.send_signal(signal.SIGKILL)
    program.communicate(timeout=30)
    wait_until(
        "nginx again", lambda: scene.on("systemctl is-active nginx", check=False) == 0, 90, every=1
    )
    wait_until("a new client", lambda: scene.is_healthy(NODE), 60, every=1)
    assert instance(scene) != before


def test_ctrl_c_says_that_the_node_goes_on(scene: Scene) -> None:
    program = scene.lab.cephctl.start("node", "remount", NODE, CONFIRMED)
    wait_until(
        "the stop of nginx",
        lambda: scene.on("systemctl is-active nginx", check=False) != 0,
        60,
        every=0.1,
    )
    program.send_signal(signal.SIGINT)
    _, stderr = program.communicate(timeout=30)
    assert program.returncode == 130
    assert f"continues on {NODE} in the background" in stderr
    wait_until("the end", lambda: scene.is_healthy(NODE), 90, every=1)


@pytest.mark.both
def test_push_writes_only_what_differs_and_shows_no_key(scene: Scene) -> None:
    assert node(scene, "push", "--all", CONFIRMED, "-f", "json").json == []
    key = scene.ceph("auth", "get-key", "client.web").strip()
    scene.on(
        f"echo broken >{SECRET}; chmod 644 {KEYRING}; sed -i "
        f"s/TimeoutSec=90/TimeoutSec=20/ {UNIT}; systemctl daemon-reload"
    )
    shown = node(scene, "push", NODE, "--dry-run", "-f", "json")
    assert {(each["path"], each["what"]) for each in shown.json} == {
        (SECRET, "key"),
        (KEYRING, "mode"),
        (UNIT, "TimeoutSec"),
    }
    assert scene.on(f"grep -q broken {SECRET}") == 0, "a dry run writes nothing"
    pushed = node(scene, "push", NODE, CONFIRMED, "--debug")
    assert pushed.status == 0, pushed.stderr
    assert key not in shown.output + pushed.output
    # By its digest: sudo writes commands into the node's journal.
    digest = hashlib.sha256(f"{key}\n".encode()).hexdigest()
    assert scene.on(f"echo '{digest}  {SECRET}' | sha256sum -c --quiet") == 0
    assert scene.on(f'test "$(stat -c %a%U {SECRET} {KEYRING} | sort -u)" = 600root') == 0
    assert node(scene, "push", "--all", CONFIRMED, "-f", "json").json == []
    assert scene.is_healthy(NODE)


def test_push_leaves_the_rest_of_a_file_alone(scene: Scene) -> None:
    scene.on(
        "printf '[client]\\nclient quota = true\\n' >>/etc/ceph/ceph.conf; sed -i "
        f"'s/^fsid.*/fsid = x/' /etc/ceph/ceph.conf; echo '# by hand' >>{UNIT}"
    )
    assert node(scene, "push", NODE, CONFIRMED).status == 0
    assert (
        scene.on(
            "grep -q 'client quota = true' /etc/ceph/ceph.conf && grep -q '# by hand' "
            f"{UNIT} && ! grep -q 'fsid = x' /etc/ceph/ceph.conf"
        )
        == 0
    )


def test_no_key_is_seen_in_any_process_of_either_side(scene: Scene) -> None:
    key = scene.ceph("auth", "get-key", "client.web").strip()
    watch = (
        "for i in $(seq 400); do cat /proc/*/cmdline /proc/*/environ 2>/dev/null | tr '\\0' ' "
        "' >>/tmp/seen; done"
    )
    scene.on(f': >/tmp/seen; systemd-run --unit watch sh -c "{watch}"')
    scene.on(f"echo broken >{SECRET}")
    program = scene.lab.cephctl.start("node", "push", NODE, CONFIRMED, "--debug")
    here = ""
    while program.poll() is None:
        here += subprocess.run(
            ["sh", "-c", "cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\\0' ' '"],
            capture_output=True,
            text=True,
            check=False,
        ).stdout
    stdout, stderr = program.communicate()
    scene.on("systemctl stop watch")
    assert program.returncode == 0, stderr
    assert key not in here + stdout + stderr
    assert scene.on(f"grep -qF '{key[:20]}' /tmp/seen", check=False) == 1


@pytest.mark.both
def test_eviction_of_a_node_is_said_and_undone_by_a_remount(scene: Scene) -> None:
    mds = scene.lab.cephctl
    address = instance(scene)
    assert mds("mds", "evict", NODE, "--dry-run").status == 0
    assert instance(scene) == address
    evicted = mds("mds", "evict", NODE, CONFIRMED)
    assert evicted.status == 0, evicted.stderr
    assert f"cephctl node remount {NODE}" in evicted.stderr
    listed = mds("cluster", "blocklist", "list", "-f", "json").json
    assert (address, NODE) in [(entry["address"], entry["node"]) for entry in listed]
    refused = mds("cluster", "blocklist", "remove", address, CONFIRMED)
    assert refused.status == 6
    assert "is a running client" in refused.stderr
    assert node(scene, "remount", NODE, CONFIRMED).status == 0
    removed = mds("cluster", "blocklist", "remove", address, CONFIRMED)
    assert removed.status == 0, removed.stderr
    assert mds("mds", "evict", "12", CONFIRMED).status == 1


def test_a_failover_is_survived_by_all_nodes(scene: Scene) -> None:
    before = scene.lab.cluster.active_mds()
    done = scene.lab.cephctl("mds", "fail", before, CONFIRMED, "-f", "json")
    assert done.status == 0, done.stderr
    assert done.json[0]["before"] == before.removeprefix("mds.")
    wait_until("the standby", scene.lab.cluster.is_ready, 60)
    scene.wait_until_healthy()


def test_health_is_one_line_per_node(scene: Scene) -> None:
    rows = node(scene, "health", "-f", "json").json
    assert [(row["cephfs_mounted"], row["cephfs_writable"], row["last_error"]) for row in rows] == [
        (True, True, None)
    ] * 3
    assert all(row["last_probe_at"] for row in rows)
    probes = node(scene, "probe", NODE, "-f", "json").json
    assert [(row["daemon"], row["status"]) for row in probes] == [
        ("mon", "ok"),
        ("mds", "ok"),
        ("osd", "ok"),
    ]


def test_a_frozen_osd_is_not_writable_and_no_process_is_left_behind(scene: Scene) -> None:
    scene.freeze("osd.0")
    try:
        row = node(scene, "health", NODE, "-f", "json").json[0]
        assert (row["cephfs_mounted"], row["cephfs_writable"]) == (True, False)
        assert "osd" in row["last_error"]
    finally:
        scene.lab.cluster.send("osd.0", signal.SIGCONT)
    wait_until("it to be writable", lambda: node(scene, "health", NODE).status == 0, 120, every=2)
    wait_until(
        "the probes that hung to end",
        lambda: scene.on("pgrep -x python3", check=False) == 1,
        60,
        every=2,
    )


def test_a_make_sentinel_creates_it_once(scene: Scene) -> None:
    scene.on(f"rm {PATH}/.cephctl-sentinel")
    assert "created" in node(scene, "probe", NODE, "--create-sentinel").stderr
    assert "already exists" in node(scene, "probe", NODE, "--create-sentinel").stderr
    assert scene.on(f'test "$(stat -c %a%s {PATH}/.cephctl-sentinel)" = 6004096') == 0


def test_facts_are_saved_for_the_owner_alone_and_judged_alike(
    scene: Scene, tmp_path: object
) -> None:
    file = f"{tmp_path}/facts.json"
    now = node(scene, "doctor", "--save", file, "-f", "json")
    later = node(scene, "doctor", "--from", file, "-f", "json")
    assert json.loads(now.stdout) == json.loads(later.stdout)
    assert (
        subprocess.run(
            ["stat", "-c", "%a", file], capture_output=True, text=True, check=True
        ).stdout
        == "600\n"
    )
    assert scene.ceph("auth", "get-key", "client.web").strip() not in Path(file).read_text()


def test_watch_ends_with_ctrl_c(scene: Scene) -> None:
    program = scene.lab.cephctl.start("node", "doctor", NODE, "--watch", "1", "--no-probe")
    assert program.stdout
    assert "NODE" in program.stdout.readline()
    program.send_signal(signal.SIGINT)
    _, stderr = program.communicate(timeout=30)
    assert (program.returncode, stderr.strip()) == (130, "cephctl: interrupted")


def test_an_unknown_node_gets_near_names(scene: Scene) -> None:
    for verb in ("doctor", "health", "probe", "sessions"):
        unknown = node(scene, verb, "web-1-nod-1")
        assert unknown.status == 1
        assert f"did you mean {NODE}" in unknown.stderr
    new = node(scene, "doctor", "xyz")
    assert "add it to cephctl.toml: [nodes.xyz]" in new.stderr


def test_a_node_goes_out_of_service_and_comes_back(scene: Scene) -> None:
    out = node(scene, "drain", NODE, CONFIRMED, "-f", "json")
    assert (out.status, out.json[0]["status"], out.json[0]["sessions"]) == (0, "DRAIN", 0), (
        out.output
    )
    assert site.haproxy_states()[NODE] == "DRAIN"
    others = [name for name in scene.lab.nodes if name != NODE]
    last = node(scene, "drain", *others, CONFIRMED, "-f", "json")
    assert (last.status, len(last.json)) == (5, 1), last.output
    assert "is the last UP server of web-1" in last.stderr
    back = node(scene, "undrain", "--all", CONFIRMED)
    assert back.status == 0, back.output
    assert set(site.haproxy_states().values()) == {"UP"}
