"""`keys rotate` over real mounts: nobody notices, nothing can interrupt it, and it stops where it
is safe.
"""

from __future__ import annotations

import contextlib
import shutil
import signal
import subprocess
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.command import Cephctl, Result
from tests.lab import platform, site
from tests.lab.conftest import FAILED, Lab
from tests.lab.faults.fault import KEYRING, SECRET, Scene
from tests.lab.places import HAPROXY_SOCKET, INSIDE, NODES, RUN
from tests.lab.shell import LabError, wait_until
from tests.lab.witness import (
    LINE,
    appended,
    executed,
    keepers,
    operator_files,
    secret_of,
    spellings,
    traced,
    visitors,
    writers,
)

WEB, NEXT = "client.web", "client.web-next"
FIRST, SECOND = list(NODES)[:2]
RUN_SECONDS = 600
# A small disk over /etc/ceph, with what was there, and no room for more.
FILL = (
    "mount -t tmpfs -o size=64k tmpfs /mnt && cp -a /etc/ceph/. /mnt/ && mount --bind /mnt "
    "/etc/ceph && "
    "{ dd if=/dev/zero of=/etc/ceph/fill bs=4k 2>/dev/null; true; }"
)


class Operator:
    """cephctl as client.admin, who may change keys."""

    def __init__(self, scene: Scene) -> None:
        self.scene = scene
        keyring = str(scene.lab.cluster.keyring("client.admin"))
        self.admin = ("-n", "client.admin", "-k", keyring)

    def __call__(self, *words: str) -> Result:
        return Attempt(self.command(*words)).result()

    def command(self, *words: str) -> list[str]:
        return self.scene.lab.cephctl.command(*self.admin, *words)

    def start(self, *words: str) -> Attempt:
        return Attempt(self.command(*words))

    def rotate(self, *words: str) -> Attempt:
        return self.start("keys", "rotate", WEB, "--yes", "-f", "json", *words)

    @property
    def run(self) -> str:
        """The youngest run."""
        return str(self("run", "list", "-f", "json").json[-1]["run"])

    def key(self, entity: str = WEB) -> str:
        return self.scene.ceph("auth", "get-key", entity).strip()

    def entities(self) -> set[str]:
        return {each["entity"] for each in self.scene.lab.cluster.json("auth", "ls")["auth_dump"]}


class Attempt:
    """One run of the program; what it says on stderr can be waited for."""

    def __init__(self, command: list[str]) -> None:
        environment = Cephctl({"CEPHCTL_CONFIG": str(RUN / "cephctl.toml")}).variables({})
        self.process = subprocess.Popen(
            command,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            process_group=0,
        )
        self.said: list[str] = []
        self.output: list[str] = []
        self.readers = [threading.Thread(target=self.listen), threading.Thread(target=self.take)]
        for reader in self.readers:
            reader.start()

    def listen(self) -> None:
        assert self.process.stderr
        for line in self.process.stderr:
            self.said.append(line)

    def take(self) -> None:
        assert self.process.stdout
        self.output.append(self.process.stdout.read())

    def until(self, text: str) -> None:
        wait_until(
            f"'{text}'",
            lambda: any(text in line for line in self.said) or self.process.poll() is not None,
            RUN_SECONDS,
        )
        assert any(text in line for line in self.said), self.said

    def kill(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.result()

    def result(self) -> Result:
        status = self.process.wait(RUN_SECONDS)
        for reader in self.readers:
            reader.join()
        return Result(status, "".join(self.output), "".join(self.said))


@pytest.fixture
def scene(healthy: Lab, request: pytest.FixtureRequest) -> Iterator[Scene]:
    played = Scene(healthy)
    played.set_clocks()
    yield played
    forget_runs(played)
    played.keep_key()
    if request.node.stash[FAILED]:
        played.restore()
        played.wait_until_healthy()


def forget_runs(scene: Scene) -> None:
    """What a test that failed left behind is no business of the next one."""
    shutil.rmtree(RUN / "runs", ignore_errors=True)
    for node in NODES:
        site.put_in_service(node)
    scene.ceph("auth", "rm", NEXT)
    admin = (*scene.admin, "--pool", "cephfs_metadata", "--namespace", "cephctl")
    with contextlib.suppress(LabError):
        scene.lab.cluster.run("rados", *admin, "rm", f"run.{WEB}", timeout=30)


@pytest.fixture
def operator(scene: Scene) -> Operator:
    return Operator(scene)


def check_whole(operator: Operator, old: str, rotated: bool = True) -> None:
    """All nodes healthy and in service on one key, the wanted one; nothing else left of it."""
    scene = operator.scene
    assert (secret_of(operator.key()) != secret_of(old)) is rotated
    assert NEXT not in operator.entities()
    scene.keep_key()
    scene.wait_until_healthy()
    assert set(site.haproxy_states().values()) == {"UP"}
    sessions = scene.lab.cephctl("mds", "sessions", "-f", "json").json
    assert [each["node"] for each in sessions if each["entity"] == WEB] and {
        each["entity"] for each in sessions
    } <= {WEB}
    for name, node in scene.lab.nodes.items():
        assert node.ssh("sudo ls /run/cephctl/stage/mount", check=False) != 0, name
    assert not list(Path(RUN / "runs").glob("*.keyring"))


def test_nobody_notices(operator: Operator, tmp_path: Path) -> None:
    scene, old = operator.scene, operator.key()
    trace = tmp_path / "strace"
    strace = ["strace", "-f", "-qq", "-s", "8192", "-e", "trace=execve", "-o", str(trace)]
    with writers(scene), traced(scene), visitors() as site_visitors:
        command = operator.command("keys", "rotate", WEB, "--yes", "-f", "json")
        done = Attempt([*INSIDE, *strace, *command[len(INSIDE) :]]).result()
        visited = site_visitors.end()
        assert done.status == 0, done.stderr
        for node in NODES:
            taken, written = appended(scene, node)
            assert len(taken) > 100
            assert not set(taken) - set(written), "lost"
            assert all(LINE.fullmatch(line) for line in written), "torn"
    assert visited["failures"] == []
    assert visited["requests"] > 500
    check_whole(operator, old)
    check_secrets(operator, done, trace, old)
    check_report(done)
    check_old_key_is_refused(scene, old, tmp_path)
    # The bomb is defused: the mounts know the new key.
    scene.kill("mon.a")
    scene.revive("mon.a")
    scene.wait_until_healthy()


def check_secrets(operator: Operator, done: Result, trace: Path, old: str) -> None:
    """No key in any argument vector, output, record; on a node in its two files only, and those are
    root's.
    """
    scene, new = operator.scene, operator.key()
    texts = {"output": done.output, "argv of the operator": trace.read_text()}
    texts |= {str(file): file.read_text(errors="replace") for file in operator_files()}
    texts |= {f"argv on {node}": executed(scene, node) for node in NODES}
    assert all("mount" in texts[f"argv on {node}"] for node in NODES), "nothing was traced"
    for place, text in texts.items():
        assert not [each for key in (old, new) for each in spellings(key) if each in text], place
    for node in NODES:
        assert keepers(scene, node, new) == sorted([KEYRING, SECRET])
        assert keepers(scene, node, old) == []
        assert (
            scene.on(
                f"test \"$(stat -c '%a%U' {KEYRING} {SECRET} | sort -u)\" = 600root", node=node
            )
            == 0
        )


def check_report(done: Result) -> None:
    report = done.json
    assert (report["state"], report["strategy"], report["entity"]) == ("finished", "overlap", WEB)
    assert report["old_key"] != report["new_key"]
    assert [node["node"] for node in report["nodes"]] == list(NODES)
    assert all(node["switches"] == 2 and node["session"] for node in report["nodes"])


def check_old_key_is_refused(scene: Scene, old: str, folder: Path) -> None:
    keyring = folder / "old.keyring"
    keyring.write_text(f"[{WEB}]\n\tkey = {old}\n")
    conf = str(scene.lab.cluster.operator_conf)
    words = [
        *INSIDE,
        "ceph",
        "-c",
        conf,
        "-n",
        WEB,
        "-k",
        str(keyring),
        "--connect-timeout",
        "20",
        "mon",
        "stat",
    ]
    refused = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert refused.returncode != 0
    assert "ermission" in refused.stderr or "13" in refused.stderr


@pytest.mark.parametrize(
    ("way", "then"),
    [
        ("away", "resume"),
        ("away", "rollback"),
        pytest.param("back", "rollback", marks=pytest.mark.matrix),
    ],
)
def test_killed_in_a_switch(operator: Operator, way: str, then: str) -> None:
    """The program dies while the second node is being switched; the node goes on by itself."""
    old = operator.key()
    attempt = operator.rotate()
    attempt.until(f"{way} {SECOND}: in progress")
    attempt.kill()
    [run] = operator("run", "list", "-f", "json").json
    assert run["state"] == "interrupted"
    refused = operator("keys", "rotate", WEB, "--yes")
    assert (refused.status, f"run resume {run['run']}" in refused.stderr) == (6, True)
    done = operator("run", then, run["run"], "--yes", "-f", "json")
    assert done.status == 0, done.stderr
    check_whole(operator, old, rotated=then == "resume")
    shown = operator("run", "show", run["run"], "-f", "json").json
    assert shown["state"] == {"resume": "finished", "rollback": "rolled back"}[then]


@pytest.mark.matrix
def test_a_full_disk_stops_it_and_nothing_is_half_done(operator: Operator) -> None:
    scene, old = operator.scene, operator.key()
    attempt = operator.rotate()
    attempt.until(f"away {SECOND}: in progress")
    scene.on(FILL, node=FIRST)
    stalled = attempt.result()
    assert stalled.status == 7, stalled.output
    assert "No space left" in stalled.stderr or "holds another key" in stalled.stderr
    assert f"run resume {operator.run}" in stalled.stderr
    scene.on("umount /etc/ceph; umount /mnt", node=FIRST)
    done = operator("run", "resume", operator.run, "--yes")
    assert done.status == 0, done.stderr
    check_whole(operator, old)


@dataclass(frozen=True)
class Accident:
    """What happens in mid-run: after `when` was said, and how it is mended. `may_go_on` where it
    depends on the moment whether the run notices at all.
    """

    when: str
    happens: Callable[[Scene], object]
    mended: Callable[[Scene], object]
    may_go_on: bool = False


def refuse_the_other(scene: Scene) -> None:
    scene.ceph(
        "auth",
        "caps",
        NEXT,
        "mon",
        "allow r",
        "osd",
        "allow rw tag cephfs data=cephfs",
        "mds",
        "allow r path=/nowhere",
    )


ACCIDENTS = {
    "mon_restarts": Accident(
        f"away {FIRST}: done",
        lambda scene: scene.kill("mon.a"),
        lambda scene: scene.revive("mon.a"),
    ),
    "mds_fails_over": Accident(
        f"away {FIRST}: done",
        lambda scene: scene.ceph("mds", "fail", "0"),
        lambda scene: None,
        may_go_on=True,
    ),
    "haproxy_gone": Accident(
        f"away {FIRST}: done",
        lambda scene: HAPROXY_SOCKET.rename(HAPROXY_SOCKET.with_suffix(".away")),
        lambda scene: HAPROXY_SOCKET.with_suffix(".away").rename(HAPROXY_SOCKET),
    ),
    "key_refused": Accident(f"away {FIRST}: done", refuse_the_other, lambda scene: None),
    "node_dies": Accident(
        f"back {SECOND}: in progress",
        lambda scene: scene.lab.nodes[SECOND].stop(),
        lambda scene: come_back(scene, SECOND),
    ),
}


def come_back(scene: Scene, node: str) -> None:
    """A machine that starts again, with the key that the cluster has by then, as its own disk would
    have it; still out of service.
    """
    scene.keep_key()
    platform.reset(scene.lab.nodes[node])
    site.tell_haproxy(f"set server web-1/{node} state drain")


@pytest.mark.parametrize(
    "name", [pytest.param(name, marks=pytest.mark.matrix) for name in ACCIDENTS]
)
@pytest.mark.parametrize("then", ["resume", "rollback"])
def test_an_accident_on_the_way(operator: Operator, name: str, then: str) -> None:
    """It stops where it is safe, says so, and both ways out lead to the end."""
    scene, old, accident = operator.scene, operator.key(), ACCIDENTS[name]
    attempt = operator.rotate()
    attempt.until(accident.when)
    accident.happens(scene)
    ended = attempt.result()
    accident.mended(scene)
    if accident.may_go_on and ended.status == 0:
        check_whole(operator, old)
        return
    assert ended.status == 7, ended.output
    assert f"run resume {operator.run}" in ended.stderr
    done = operator("run", then, operator.run, "--yes")
    assert done.status == 0, done.output
    check_whole(operator, old, rotated=then == "resume")


@pytest.mark.matrix
def test_the_name_takes_turns(operator: Operator) -> None:
    """alternate, there and back; the operator's configuration follows."""
    scene, other, config = operator.scene, f"{WEB}-b", RUN / "cephctl.toml"
    plain = config.read_text()
    try:
        there = operator.rotate("--strategy", "alternate").result()
        assert there.status == 0, there.output
        assert WEB not in operator.entities()
        assert (
            scene.on(
                f"test ! -e {SECRET} && grep -q name=web-b "
                "/etc/systemd/system/var-www-storage.mount"
            )
            == 0
        )
        config.write_text(f'{plain}\n[mount]\nentity = "{other}"\n')
        scene.wait_until_healthy()
        back = operator("keys", "rotate", other, "--strategy", "alternate", "--yes")
        assert back.status == 0, back.output
    finally:
        config.write_text(plain)
    check_whole(operator, "AAAA" * 8)


@pytest.mark.both
def test_two_operators(operator: Operator) -> None:
    old = operator.key()
    first = operator.rotate("--strategy", "in-place")
    first.until("rekey")
    elsewhere = RUN / "elsewhere.toml"
    text = (RUN / "cephctl.toml").read_text().replace(str(RUN / "runs"), str(RUN / "other-runs"))
    elsewhere.write_text(text)
    second = operator("--config", str(elsewhere), "keys", "rotate", WEB, "--yes")
    assert second.status == 6, second.output
    assert "is rotating" in second.stderr
    assert first.result().status == 0, first.said
    check_whole(operator, old)


def test_a_stolen_key(operator: Operator, tmp_path: Path) -> None:
    """A thief's session is named, evicted, and cannot come back."""
    old = operator.key()
    thief = steal(operator.scene, old)
    try:
        shown = operator("keys", "rotate", WEB, "--dry-run")
        assert (shown.status, "is not in the inventory" in shown.stderr) == (6, True)
        done = operator.rotate("--compromised").result()
        assert done.status == 0, done.stderr
        [line] = done.json["evicted"]
        assert "unknown host" in line
    finally:
        thief.kill()
        thief.wait()
    check_whole(operator, old)


def steal(scene: Scene, key: str) -> subprocess.Popen[str]:
    holder = Path(__file__).parents[1] / "cluster/holder.py"
    words = [*INSIDE, "/usr/bin/python3", str(holder), str(scene.lab.cluster.operator_conf), WEB]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    assert process.stdin
    assert process.stdout
    process.stdin.write(key + "\n")
    process.stdin.flush()
    assert process.stdout.readline() == "ready\n"
    return process


def test_what_is_refused_before_anything_is_changed(operator: Operator) -> None:
    old = operator.key()
    for words, status, text in (
        (("client.wbe",), 6, "is not the entity that the web nodes mount as"),
        (("osd.0",), 6, "ceph orch daemon rotate-key osd.0"),
        (("client.admin",), 6, "--yes-i-really-mean-it"),
        ((WEB, "--skip", FIRST), 2, "--reason"),
        ((WEB, "--skip", FIRST, "--reason", "test"), 6, "is in --skip"),
        ((WEB, "--key-type", "aes256k"), 6, "does not allow aes256k"),
    ):
        refused = operator("keys", "rotate", *words, "--yes")
        assert refused.status == status, refused.output
        assert text in refused.stderr
    operator.scene.on("systemctl stop ssh", check=False, node=FIRST)
    refused = operator("keys", "rotate", WEB, "--yes", "--timeout", "5")
    platform.reset_and_wait(operator.scene.lab.nodes[FIRST])
    assert (refused.status, f"{FIRST} does not answer" in refused.stderr) == (6, True), (
        refused.output
    )
    assert operator.key() == old
    assert operator("run", "list", "-f", "json").json == []
