"""Light nodes: a process with a libcephfs mount each, and a folder of files; for rotations that are
killed a thousand times.

Run as a program it carries out a run, and kills itself at one of its touches of the world: FOLDER
DIRECTION TOUCH.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cephctl.ceph.ask import ask
from cephctl.ceph.keys import Entity
from cephctl.ceph.target import Target
from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.errors import CephctlError
from cephctl.rotation.environment import LiveEnvironment, MountState
from cephctl.rotation.journal import Journal
from cephctl.rotation.plan import FORWARD, Direction, Plan
from cephctl.rotation.run import Run, lock_of
from cephctl.rotation.steps import Done
from cephctl.site import Site
from tests.lab.shell import is_alive, stop_pid

NAMES = ("one", "two")
HOLDER = Path(__file__).with_name("holder.py")


def no_nodes(nodes: Sequence[Node], question: object) -> Any:
    raise AssertionError("light nodes have no sshd")


class LightNodes(LiveEnvironment):
    """The real cluster, with processes for nodes. `touch` counts every question, and what is
    between a node's own steps.
    """

    def __init__(
        self, folder: Path, target: Target, plan: Plan, kill_at: int = 0, asking: Any = ask
    ) -> None:
        deps = Deps(
            ask=lambda question: asking(target, question),
            ask_nodes=no_nodes,
            haproxy=None,
            site=Site("/mnt", "/", plan.entity, "", "", None, None),
            nodes=tuple(
                Node(name, f"10.9.9.{number}", "web-1")
                for number, name in enumerate(NAMES, start=1)
            ),
            operator_entity="client.admin",
            runs=str(folder / "runs"),
            seconds=30,
        )
        super().__init__(deps, lock_of(plan, "here", FORWARD))
        self.folder = folder
        self.target = target
        self.kill_at = kill_at
        self.touches = 0

    def touch(self) -> None:
        self.touches += 1
        if self.touches == self.kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def ask(self, question: Any) -> list[Any]:
        self.touch()
        answers = super().ask(question)
        self.touch()
        return answers

    def state(self, node: str) -> dict[str, Any]:
        file = self.folder / f"{node}.json"
        state: dict[str, Any] = (
            json.loads(file.read_text())
            if file.exists()
            else {"entity": None, "pid": None, "old": None}
        )
        return state

    def keep(self, node: str, **state: Any) -> None:
        part = self.folder / f"{node}.part"
        part.write_text(json.dumps(self.state(node) | state))
        part.replace(self.folder / f"{node}.json")
        self.touch()

    def seen(self, node: str) -> MountState:
        state = self.state(node)
        if not state["pid"] or not is_alive(state["pid"]):
            return MountState(None, "not mounted")
        return MountState(
            state["entity"],
            "the old client is still there" if state["old"] and is_alive(state["old"]) else None,
        )

    def switch(self, node: str, entity: Entity) -> Done:
        """A new client beside the old one, which then ends."""
        if old := self.state(node)["old"]:
            stop_pid(old)
        fresh = hold(self.target.conf, node, entity.name, entity.key)
        self.keep(node, old=self.state(node)["pid"], pid=fresh, entity=entity.name)
        stop_pid(self.state(node)["old"])
        self.keep(node, old=None)
        return Done(gap_ms=0.0)

    def files_differ(self, nodes: Sequence[str], entity: Entity, unit: bool) -> str | None:
        self.touch()
        return next(
            (f"{node} differs" for node in nodes if self.file(node, entity.name) != entity.key),
            None,
        )

    def write_files(self, nodes: Sequence[str], entity: Entity, unit: bool) -> None:
        for node in nodes:
            (self.folder / f"{node}.{entity.name}.secret").write_text(entity.key)
            self.touch()

    def key_files(self, nodes: Sequence[str], entity: str, remove: bool) -> list[str]:
        self.touch()
        found = [node for node in nodes if self.file(node, entity)]
        for node in found if remove else ():
            (self.folder / f"{node}.{entity}.secret").unlink()
        return found

    def file(self, node: str, entity: str) -> str | None:
        path = self.folder / f"{node}.{entity}.secret"
        return path.read_text() if path.exists() else None


def hold(conf: str, node: str, entity: str, key: str) -> int:
    """Start a client under the host name of a node; its pid when it has mounted."""
    words = [
        "unshare",
        "--uts",
        "sh",
        "-c",
        'hostname "$0" && exec "$@"',
        node,
        sys.executable,
        str(HOLDER),
        conf,
        entity,
    ]
    process = subprocess.Popen(
        words,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert process.stdin
    assert process.stdout
    process.stdin.write(key + "\n")
    process.stdin.close()
    if process.stdout.readline() != "ready\n":
        raise CephctlError(f"{node}: the mount as {entity} was refused")
    return process.pid


def main() -> None:
    folder, direction, touch = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    target = Target(**json.loads((folder / "target.json").read_text()))
    [record] = (folder / "runs").glob("*.jsonl")
    journal = Journal(str(record.parent), record.stem)
    world = LightNodes(folder, target, journal.plan, touch)
    world.take_lock()
    report = Run(journal, journal.plan, world).execute(Direction(direction))
    print(json.dumps({"state": report.state, "touches": world.touches}))


if __name__ == "__main__":
    main()
