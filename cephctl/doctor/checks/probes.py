"""Checks of whether the mount answers: the probes, and processes that hang in it."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import REMOUNT, Layer, Problem, check
from cephctl.doctor.facts import Probe, Requests
from cephctl.doctor.view import View, known
from cephctl.remedy import here
from cephctl.results import Severity

MAX_NAMED = 5


@check("PROBE_MON_HANGS", "statfs hangs (monitor path)", Layer.SYMPTOM, needs=("mounts",))
def probe_mon_hangs(view: View) -> Iterator[Problem]:
    """df, and every monitoring agent that calls statfs, hangs, while files can be read and written:
    the client has no monitor.

    The monitors or the network to them are down, or they refuse its key.
    """
    yield from hanging(view, "mon", "statfs")


@check("PROBE_MDS_HANGS", "A forced getattr hangs (MDS path)", Layer.SYMPTOM, needs=("mounts",))
def probe_mds_hangs(view: View) -> Iterator[Problem]:
    """ls, open and stat hang, though cached entries still answer: the MDS does not.

    If no cause is named, it is slow. See `ceph health detail` (MDS_SLOW_REQUEST), and what it waits
    for (`ceph tell mds.NAME dump_blocked_ops`).
    """
    yield from hanging(view, "mds", "getattr")


@check("PROBE_OSD_HANGS", "A direct read hangs (OSD path)", Layer.SYMPTOM, needs=("mounts",))
def probe_osd_hangs(view: View) -> Iterator[Problem]:
    """Ls works and reading hangs: an OSD or a placement group is not active.

    Processes may be in an uninterruptible sleep, which only the cluster can end.
    """
    probe = view.probe("osd")
    if probe and probe.reached:
        yield from hanging(view, "osd", "O_DIRECT read")


def hanging(view: View, name: str, what: str) -> Iterator[Problem]:
    probe = view.probe(name)
    if probe and probe.hangs:
        client = view.client
        waiting = (client.requests_later or client.requests) if client else Requests()
        lines = [text for text in waiting.of(name) if not text.startswith("REQUESTS 0")]
        yield Problem(hung(probe, what), node=tuple(f"waits for: {text}" for text in lines[:3]))


def hung(probe: Probe, what: str) -> str:
    if probe.status == "busy":
        return f"the {what} of an earlier probe still hangs (pid {probe.pid})"
    return f"{what} hung for {probe.seconds or 0:.0f} s (state {probe.state}, in {probe.wchan})"


@check(
    "PROBE_FAILS",
    "The mount answers with an error",
    Layer.SYMPTOM,
    needs=("mounts",),
    remedy=REMOUNT,
)
def probe_fails(view: View) -> Iterator[Problem]:
    """EACCES: the client was rejected, or the caps do not suffice. EIO: the client is shut down.

    EPERM on the OSD probe: the osd caps do not include the data pool. ESTALE: the mount changed
    during the probe.
    """
    for name in ("mon", "mds", "osd"):
        probe, error = view.probe(name), view.probe_failed(name)
        if probe and error and not (name == "osd" and error == "ENOENT"):
            yield Problem(
                f"{name} probe: {error}",
                node=(f"{name} probe after {probe.seconds or 0:.1f} s: {error}",),
            )


@check(
    "SENTINEL_MISSING",
    "The file for the OSD probe does not exist",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("mounts",),
    remedy=(here("cephctl", "node", "probe", "--create-sentinel"),),
)
def sentinel_missing(view: View) -> Iterator[Problem]:
    """The OSD probe reads an existing file (mount.sentinel). cephctl creates it only when asked."""
    if view.probe_failed("osd") == "ENOENT":
        yield Problem(
            f"{view.site.path}/{view.site.sentinel} does not exist: the OSDs were not probed"
        )


@check(
    "PROCESSES_HUNG",
    "Processes hang in the Ceph client and cannot be killed",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("sleepers",),
)
def processes_hung(view: View) -> Iterator[Problem]:
    """They wait for the cluster. Load rises, and restarting their services adds more of them.

    Fix the cause; then they continue or end. Never restart php-fpm in a loop meanwhile.
    """
    sleepers = known(view.node.facts.sleepers, ())
    found = [each for each in sleepers if not each.command.startswith("python3")]
    # One look at a busy process says nothing: only where a probe hangs too, or the kernel has seen
    # it for two minutes.
    hangs = any(view.probe_hangs(name) for name in ("mon", "mds", "osd"))
    if found and (hangs or "hung_task" in view.events):
        yield Problem(
            (
                f"{len(found)} process{'es' if len(found) > 1 else ''} in an uninterruptible "
                "sleep in the Ceph client"
            ),
            node=tuple(
                f"{each.command} ({each.pid}) of {each.unit}: {' < '.join(each.stack[:3])}"
                for each in found[:MAX_NAMED]
            ),
        )
