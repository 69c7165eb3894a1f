"""Unmount and mount again, with the services that depend on the mount.

It runs to its end on the node even when the SSH connection breaks: a node is never left in between
because of that.
"""

from __future__ import annotations

import os
import signal
import time
from typing import Callable

from cephctl.node import holders, kernel_log, mounts, probes, systemd
from cephctl.node.children import Child
from cephctl.node.mounts import Json
from cephctl.node.procedure import (
    DETACH,
    FORCE,
    Stuck,
    busy,
    execute,
    idle,
    name,
    remember,
    remembered,
    still_running,
    unmounting,
    wait_until,
)

UMOUNT_SECONDS = 10.0
STOP_SECONDS = 20.0
GONE_SECONDS = 5.0
PROBE_SECONDS = 15.0


class Procedure:
    """The steps in their order; `report` says what was done, and where it stopped."""

    def __init__(self, request: Json) -> None:
        self.request = request
        self.path = request["path"]
        self.unit = systemd.unit_name(self.path)
        self.steps: list[Json] = []
        self.stopped: list[str] = []
        self.zombies: list[Json] = []
        self.aside: str | None = None

    def report(self, problem: str | None) -> Json:
        here = self.here()
        return {
            "steps": self.steps,
            "problem": problem,
            "mounted": bool(here),
            "client": self.client() if here else None,
            "stopped": self.stopped,
            "zombies": self.zombies,
            "aside": self.aside,
        }

    def step(self, what: str, work: Callable[[], str | None]) -> None:
        begun = time.monotonic()
        try:
            detail = work()
        except Stuck as stuck:
            self.steps.append(
                {
                    "step": what,
                    "done": False,
                    "detail": str(stuck),
                    "seconds": round(time.monotonic() - begun, 2),
                }
            )
            raise
        self.steps.append(
            {
                "step": what,
                "done": True,
                "detail": detail,
                "seconds": round(time.monotonic() - begun, 2),
            }
        )

    def client(self) -> Json | None:
        """The youngest client of this kernel."""
        try:
            found = sorted(mounts.clients(with_requests=False), key=lambda each: each["id"])
        except OSError:
            return None
        return found[-1] if found else None

    def here(self) -> list[Json]:
        return mounts.mounts_on(self.path)

    # Down

    def down(self) -> None:
        self.held = [pin for pin in holders.holders() if pin["mount"] == "live"]
        self.step(f"look who holds {self.path}", self.look)
        if self.stopped:
            self.step("stop {}".format(" ".join(self.stopped)), self.stop)
        if self.strangers():
            self.step(
                "end {}".format(", ".join(name(pin) for pin in self.strangers())),
                self.end_strangers,
            )
        self.old = {each["id"] for each in mounts.clients(with_requests=False)}
        while self.here():
            self.step(f"umount {self.path}", self.umount)
        self.step("see the old client go", self.see_it_go)

    def look(self) -> str | None:
        """The services to stop: those that hold something, and those that systemd would stop with
        the unit.
        """
        shown = systemd.show([self.unit], "RequiredBy,BoundBy,ActiveState")[0]
        tied = [
            each
            for key in ("RequiredBy", "BoundBy")
            for each in shown.get(key, "").split()
            if each.endswith(".service")
        ]
        tied = (
            [
                each["Id"]
                for each in systemd.show(tied, "Id,ActiveState")
                if each["ActiveState"] in ("active", "activating")
            ]
            if tied
            else []
        )
        holding = [pin["unit"] for pin in self.held if holders.is_service(pin)]
        self.stopped = sorted({*tied, *holding})
        strangers = self.strangers()
        if strangers and not self.request["kill"]:
            raise Stuck(
                "held by {}".format(
                    "; ".join("{}: {}".format(name(pin), pin["files"][0]) for pin in strangers)
                )
            )
        return None

    def strangers(self) -> list[Json]:
        """Who holds the mount and belongs to no service: a shell, a job started by hand."""
        return [pin for pin in self.held if not holders.is_service(pin)]

    def stop(self) -> str | None:
        remember(sorted({*self.stopped, *remembered()}))
        systemd.run("systemctl", "stop", "--no-block", *self.stopped)
        ended = wait_until(lambda: not still_running(self.stopped), STOP_SECONDS)
        if ended:
            return None
        # What hangs in the mount can still be killed, as a rule; what cannot stays behind as a
        # zombie's holder.
        systemd.run("systemctl", "kill", "-s", "KILL", *self.stopped)
        wait_until(lambda: not still_running(self.stopped), 3)
        left = still_running(self.stopped)
        return "killed" if not left else "{} does not end".format(" ".join(left))

    def end_strangers(self) -> str | None:
        pids = [pin["pid"] for pin in self.strangers()]
        for number, seconds in ((signal.SIGTERM, 3.0), (signal.SIGKILL, 2.0)):
            for pid in pids:
                try:
                    os.kill(pid, number)
                except ProcessLookupError:
                    continue
            if wait_until(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in pids), seconds):
                return None
        return "some do not end"

    def umount(self) -> str | None:
        """Plain, then forced, then lazy. Each in a child: it can hang for minutes after the mount
        is out of sight.
        """
        before = len(self.here())
        problem = ""
        for way, flags in (("", 0), ("forced", FORCE), ("lazily", DETACH)):
            child = Child(unmounting(self.path, flags))
            end = time.monotonic() + UMOUNT_SECONDS
            while time.monotonic() < end and len(self.here()) >= before:
                if child.wait(time.monotonic() + 0.1):
                    break
            if len(self.here()) < before:
                # Still flushing, perhaps: it is left to it.
                return way or None
            problem = (
                child.messages[-1] if child.messages else f"no answer within {UMOUNT_SECONDS:.0f} s"
            )
            child.abandon()
            if problem == "EBUSY" and not way:
                wait_until(lambda: not busy(), 3)
        raise Stuck(f"umount failed: {problem}")

    def see_it_go(self) -> str | None:
        """A client that outlives its mount is reported with who keeps it alive."""
        if wait_until(lambda: not self.living(), GONE_SECONDS):
            return None
        held = [pin for pin in holders.holders() if pin["mount"] == "detached"]
        self.zombies = [dict(each, holders=[name(pin) for pin in held]) for each in self.living()]
        return "it lives on{}".format(
            ", held by {}".format(", ".join(name(pin) for pin in held))
            if held
            else " while it flushes"
        )

    def living(self) -> list[Json]:
        mounted = len({each["device"] for each in mounts.ceph_mounts()})
        found = [
            {"id": each["id"], "instance": each["instance"]}
            for each in mounts.clients(with_requests=False)
            if each["id"] in self.old
        ]
        return found if len(found) > mounted else []

    # Up

    def alone(self) -> None:
        if self.here():
            raise Stuck(f"{self.path} is mounted already")

    def up(self) -> None:
        self.step("look at the mount point", self.clear_way)
        self.before = {each["id"] for each in mounts.clients(with_requests=False)}
        self.step(f"systemctl start {self.unit}", self.mount)
        self.step("verify the new mount", self.verify)
        services = sorted({*self.stopped, *remembered(), *self.idle()})
        if services:
            self.step("start {}".format(" ".join(services)), lambda: self.start(services))

    def idle(self) -> list[str]:
        """The services of the mount that do not run, though this run did not stop them."""
        shown = systemd.show([self.unit], systemd.PROPERTIES)[0]
        idle = systemd.dependents(dict(shown, name=self.unit))
        return [
            str(each["unit"])
            for each in idle
            if each["state"] in ("inactive", "failed") and each["type"] != "oneshot"
        ]

    def clear_way(self) -> str | None:
        if not os.path.isdir(self.path):
            raise Stuck(f"{self.path} is not a directory")
        entries = os.listdir(self.path)
        if not entries:
            return None
        if not self.request["set_aside"]:
            raise Stuck(
                "{} entries lie in the bare directory, which the mount would hide: {}".format(
                    len(entries), ", ".join(sorted(entries)[:3])
                )
            )
        self.aside = "{}.shadowed-{}".format(
            self.path.rstrip("/"), time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        )
        os.mkdir(self.aside, 0o700)
        for entry in entries:
            os.rename(os.path.join(self.path, entry), os.path.join(self.aside, entry))
        return f"{len(entries)} entries moved to {self.aside}"

    def mount(self) -> str | None:
        shown = systemd.show([self.unit], "LoadState,NeedDaemonReload")[0]
        if shown["NeedDaemonReload"] == "yes":
            systemd.run("systemctl", "daemon-reload")
            shown = systemd.show([self.unit], "LoadState")[0]
        if shown["LoadState"] != "loaded":
            raise Stuck("{} is {}".format(self.unit, shown["LoadState"]))
        systemd.run("systemctl", "reset-failed", self.unit)
        systemd.run("systemctl", "start", "--no-block", self.unit)
        state = ""

        def settled() -> bool:
            nonlocal state
            state = systemd.show([self.unit], "ActiveState")[0]["ActiveState"]
            return state == "failed" or (state == "active" and bool(self.here()))

        if wait_until(settled, self.request["mount_seconds"]) and state == "active":
            return None
        said = [line for line in systemd.unit_log(self.unit) if "mount" in line.lower()][-2:]
        log = [
            line["text"]
            for line in kernel_log.kernel_log()
            if line["age"] < self.request["mount_seconds"] + 5
        ][-2:]
        raise Stuck(
            "{} is {}: {}".format(self.unit, state, " | ".join([*said, *log]) or "no reason given")
        )

    def verify(self) -> str | None:
        """Not that something is mounted, but that this new client answers on all three ways."""
        found = [each for each in self.here() if each["type"] == "ceph"]
        if len(found) != 1 or len(self.here()) != 1:
            raise Stuck(f"{len(self.here())} mounts on {self.path} instead of one")
        fresh = [
            each for each in mounts.clients(with_requests=False) if each["id"] not in self.before
        ]
        if not fresh:
            raise Stuck("the kernel reused the old client")
        answers = probes.results(
            probes.start(self.request, found[0]["id"]), time.monotonic() + PROBE_SECONDS
        )
        bad = [
            "{} {}".format(way, each.get("error") or each["status"])
            for way, each in answers.items()
            if each["status"] != "ok"
        ]
        bad = [each for each in bad if each != "osd ENOENT"]
        if bad:
            raise Stuck("mounted, but probes fail: {}".format(", ".join(bad)))
        return "client {}".format(fresh[-1]["instance"] or fresh[-1]["id"])

    def start(self, services: list[str]) -> str | None:
        systemd.run("systemctl", "start", "--no-block", *services)
        if not wait_until(lambda: not idle(services), STOP_SECONDS):
            raise Stuck("{} did not start".format(" ".join(idle(services))))
        self.stopped = []
        remember([])
        return None


def remount(request: Json) -> Json:
    procedure = Procedure(request)
    return execute(procedure, procedure.report, Procedure.down, Procedure.up)


def mount(request: Json) -> Json:
    procedure = Procedure(request)
    return execute(procedure, procedure.report, Procedure.alone, Procedure.up)


def umount(request: Json) -> Json:
    procedure = Procedure(request)
    return execute(procedure, procedure.report, Procedure.down)
