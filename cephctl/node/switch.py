"""Change the credentials of a mount that is in use: a new mount is made beside it and verified,
then takes its place.

The new mount is staged on a private tmpfs, since a mount below a shared one cannot be moved.
Detaching the old one and moving the new one into its place are two system calls of one process:
about 3 ms in which a path of the mount is not found (measured, Linux 6.1, emulated). What still
holds the old mount is reloaded, or restarted, so that the old client ends.
"""

from __future__ import annotations

import errno
import os
import time
from functools import partial

from cephctl.node import holders, mounts, probes, systemd
from cephctl.node.children import Child, Say
from cephctl.node.facts import package_version
from cephctl.node.mounts import Json
from cephctl.node.procedure import DETACH, Stuck, execute, idle, name, umount2, wait_until
from cephctl.node.remount import Procedure

FOLDER = "/run/cephctl/stage"
STAGE = FOLDER + "/mount"
MS_MOVE, MS_PRIVATE = 1 << 13, 1 << 18
PROBE_SECONDS = 15.0
SWAP_SECONDS = 15.0
RELOAD_SECONDS = 5.0
RESTART_SECONDS = 25.0
GONE_SECONDS = 10.0


def look(request: Json) -> Json:
    """What is mounted and as whom, what a former attempt left, what the node has room for and could
    use.
    """
    path = request["path"]
    here = [dict(each, name=entity_of(each)) for each in mounts.mounts_on(path)]
    return {
        "mounts": here,
        "staged": bool(mounts.mounts_on(STAGE) or mounts.mounts_on(FOLDER)),
        "free": free_bytes(os.path.dirname(request["secret"])),
        "kernel": os.uname().release,
        "ceph_common": package_version("ceph-common"),
    }


def entity_of(mount: Json) -> str | None:
    """The name that a mount logs in with, which the kernel tells with its options."""
    names = [word.partition("=")[2] for word in mount["super_options"] if word.startswith("name=")]
    return f"client.{names[0]}" if names else None


def free_bytes(folder: str) -> int | None:
    try:
        found = os.statvfs(folder)
    except OSError:
        return None
    return found.f_bavail * found.f_frsize


class Switch(Procedure):
    """The steps of one switch; `gap` is the milliseconds in which the path was not there."""

    gap: float | None = None

    def report(self, problem: str | None) -> Json:
        return dict(Procedure.report(self, problem), gap=self.gap)

    def carry_out(self) -> None:
        here = self.here()
        if len(here) > 1:
            raise Stuck(f"{len(here)} mounts lie on {self.path}; remount first")
        self.refuse_what_would_be_lost(here)
        self.step("clear what a former attempt left", clear)
        self.old = {each["id"] for each in mounts.clients(with_requests=False)}
        self.services = self.active()
        try:
            self.step("mount beside it", self.stage)
            self.step("verify the new mount", self.verify_stage)
            self.step("put it in the old one's place", self.swap)
        finally:
            clear()
        self.step("start what stood on it", self.revive)
        self.step("reload or restart what holds the old mount", self.let_go)
        self.step("see the old client go", self.see_it_go)

    def refuse_what_would_be_lost(self, here: list[Json]) -> None:
        """Detaching takes mounts below with it; another mount of the same keeps the old client
        alive; a mount hides what lies there.
        """
        if not here and os.listdir(self.path):
            raise Stuck(
                f"nothing is mounted, and {self.path} contains files, which a mount would hide"
            )
        for each in mounts.mounts():
            if each["target"].startswith(self.path.rstrip("/") + "/"):
                raise Stuck("{} is mounted below it, and would go with it".format(each["target"]))
            if here and each["device"] == here[0]["device"] and each["target"] != self.path:
                raise Stuck(
                    "{} is another mount of the same, and would keep the old client alive".format(
                        each["target"]
                    )
                )

    def active(self) -> list[str]:
        """The services that systemd ties to the mount and that run now."""
        shown = systemd.show([self.unit], systemd.PROPERTIES)[0]
        found = systemd.dependents(dict(shown, name=self.unit))
        return [str(each["unit"]) for each in found if each["state"] == "active"]

    def stage(self) -> str | None:
        os.makedirs(FOLDER, mode=0o700, exist_ok=True)
        mount_call("cephctl", FOLDER, "tmpfs", 0)
        mount_call("none", FOLDER, "", MS_PRIVATE)
        os.mkdir(STAGE, 0o755)
        self.mount_at(STAGE)
        return None

    def mount_at(self, target: str) -> None:
        """As the unit would, but with the name and key that were sent. The key is in memory alone,
        at a descriptor of mount's.
        """
        import subprocess

        source, options = self.asked_for()
        secret = os.memfd_create("secret")
        os.write(secret, self.request["key"].encode() + b"\n")
        words = [
            "name=" + self.request["entity"].partition(".")[2],
            f"secretfile=/proc/self/fd/{secret}",
            *options,
        ]
        command = ["mount", "-t", "ceph", source, target, "-o", ",".join(words)]
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[secret],
        )
        os.close(secret)
        try:
            said = process.communicate(timeout=self.request["mount_seconds"])[0]
        except subprocess.TimeoutExpired:
            process.kill()
            raise Stuck(
                "the mount did not end within {} s".format(self.request["mount_seconds"])
            ) from None
        if process.returncode:
            lines = mounts.without_secret(said.decode(errors="replace")).strip().splitlines()
            raise Stuck(
                "the mount was refused: {}".format(" | ".join(lines[-2:]) or process.returncode)
            )

    def asked_for(self) -> tuple[str, list[str]]:
        """Source and options of the unit's file, or those that were sent where there is none;
        without whom and with what key.
        """
        shown = systemd.show([self.unit], "FragmentPath")[0]
        unit = systemd.unit_file(shown.get("FragmentPath", ""))
        options = unit.get("Options") or self.request["options"]
        dropped = ("name=", "secretfile=", "secret=", "x-systemd.")
        kept = [
            word
            for word in options.split(",")
            if word and not word.startswith(dropped) and word not in ("_netdev", "nofail")
        ]
        return unit.get("What") or self.request["source"], kept

    def verify_stage(self) -> str | None:
        [staged] = mounts.mounts_on(STAGE)
        answers = probes.results(
            probes.start(dict(self.request, path=STAGE), staged["id"]),
            time.monotonic() + PROBE_SECONDS,
        )
        told = {
            way: each.get("error") or each["status"]
            for way, each in answers.items()
            if each["status"] != "ok"
        }
        bad = [f"{way} {each}" for way, each in told.items() if (way, each) != ("osd", "ENOENT")]
        if bad:
            raise Stuck("the new mount does not work: probes {}".format(", ".join(bad)))
        fresh = [each for each in mounts.clients(with_requests=False) if each["id"] not in self.old]
        if not fresh:
            raise Stuck("the kernel shared the old mount's client")
        return "client {}".format(fresh[-1]["instance"] or fresh[-1]["id"])

    def swap(self) -> str | None:
        """In a child, for what cleans up behind a detached mount can hang. The new mount is moved
        before that begins.
        """
        mounted = bool(self.here())
        child = Child(lambda say: say(exchange(self.path, mounted)))
        end = time.monotonic() + SWAP_SECONDS
        while (
            not child.messages and time.monotonic() < end and not child.wait(time.monotonic() + 0.1)
        ):
            continue
        answer = (
            child.messages[-1]
            if child.messages
            else {"error": f"no answer within {SWAP_SECONDS:.0f} s"}
        )
        child.abandon()
        gap = answer.get("gap")
        self.gap = gap if isinstance(gap, float) else None
        if answer.get("error") and not self.here():
            # Should a kernel refuse the move, the place is empty by now: the same mount once more,
            # at its place.
            self.mount_at(self.path)
            return "mounted anew in its place, for the move failed: {}".format(answer["error"])
        if answer.get("error"):
            raise Stuck("the swap failed: {}".format(answer["error"]))
        return None if self.gap is None else f"{self.gap} ms without a mount"

    def revive(self) -> str | None:
        """Systemd may have seen the moment without a mount, and have stopped what is bound to
        it.
        """
        time.sleep(0.2)
        # Services that are started while it still thinks so would make it mount once more, on top.
        wait_until(
            lambda: systemd.show([self.unit], "ActiveState")[0]["ActiveState"] == "active",
            RELOAD_SECONDS,
        )
        fallen = idle(self.services) if self.services else []
        if fallen:
            self.start(fallen)
        return " ".join(fallen) or None

    def let_go(self) -> str | None:
        """Reload is enough for who opens paths anew, as nginx does with its logs; the others are
        restarted.
        """
        done = []
        for verb, seconds in (("reload", RELOAD_SECONDS), ("restart", RESTART_SECONDS)):
            services = services_of_detached()
            if verb == "reload":
                shown = systemd.show(services, "Id,CanReload") if services else []
                services = [each["Id"] for each in shown if each.get("CanReload") == "yes"]
            if services:
                systemd.run("systemctl", verb, "--no-block", *services)
                asked = set(services)
                wait_until(partial(self.released, asked), seconds)
                done.append("{} {}".format(verb, " ".join(services)))
        return "; ".join(done) or None

    def released(self, services: set[str]) -> bool:
        return not services & set(services_of_detached())

    def see_it_go(self) -> str | None:
        if wait_until(lambda: not self.alive(), GONE_SECONDS):
            return None
        held = [pin for pin in holders.holders() if pin["mount"] == "detached"]
        self.zombies = [
            {"id": each["id"], "instance": each["instance"], "holders": [name(pin) for pin in held]}
            for each in self.alive()
        ]
        raise Stuck(
            "the old client lives on{}".format(
                ", held by {}".format(", ".join(map(name, held))) if held else ": it still flushes"
            )
        )

    def alive(self) -> list[Json]:
        """The former clients, should more of them live than are mounted elsewhere."""
        elsewhere = {
            each["device"]
            for each in mounts.ceph_mounts()
            if each["target"] not in (self.path, STAGE)
        }
        found = [each for each in mounts.clients(with_requests=False) if each["id"] in self.old]
        return found if len(found) > len(elsewhere) else []


def say_unmounted(place: str, say: Say) -> None:
    say(umount2(place, DETACH))


def services_of_detached() -> list[str]:
    """The services that hold something of a mount that was detached."""
    return sorted(
        {
            pin["unit"]
            for pin in holders.holders()
            if pin["mount"] == "detached" and holders.is_service(pin)
        }
    )


def exchange(path: str, mounted: bool) -> Json:
    """Detach what is there, move the staged mount to its place; milliseconds between the two."""
    # As long as this is open the old mount is not cleaned up, which could take any time: the move
    # does not wait for that.
    old = os.open(path, os.O_PATH)
    begun = time.monotonic()
    if mounted:
        problem = umount2(path, DETACH)
        if problem != "ok":
            return {"error": f"detach: {problem}"}
    try:
        mount_call(STAGE, path, "", MS_MOVE)
    except OSError as error:
        return {"error": "move: {}".format(errno.errorcode.get(error.errno or 0, "?"))}
    gap = round((time.monotonic() - begun) * 1000, 1)
    assert old >= 0
    return {"gap": gap if mounted else None}


def mount_call(source: str, target: str, kind: str, flags: int) -> None:
    import ctypes

    libc = ctypes.CDLL(None, use_errno=True)
    if libc.mount(os.fsencode(source), os.fsencode(target), os.fsencode(kind), flags, None):
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def clear() -> str | None:
    """The stage, whatever is left of it."""
    found = [mounts.mounts_on(place) for place in (STAGE, FOLDER)]
    for each in (STAGE, FOLDER):
        for _ in mounts.mounts_on(each):
            child = Child(partial(say_unmounted, each))
            child.wait(time.monotonic() + SWAP_SECONDS)
    return "a staged mount" if any(found) else None


def switch(request: Json) -> Json:
    """request: path, entity, key, source, options, sentinel, mount_seconds."""
    procedure = Switch(request)
    return execute(procedure, procedure.report, Switch.carry_out)
