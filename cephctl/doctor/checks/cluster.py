"""Checks of the cluster: what is wrong there is wrong for every node."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.address import Address
from cephctl.doctor.check import Layer, Problem, Scope, check
from cephctl.doctor.view import View
from cephctl.parse import Unreadable
from cephctl.remedy import Remedy, here
from cephctl.results import Finding, Severity

MAX_EVIDENCE = 6


def of_ceph(
    finding: Finding,
    cluster: tuple[str, ...] = (),
    remedy: Remedy = (),
    host: str | None = None,
    layer: Layer | None = None,
) -> Problem:
    """A finding that is evaluated for `mds status` and `cluster status` too."""
    return Problem(
        finding.summary,
        cluster=cluster,
        remedy=remedy,
        host=host,
        severity=finding.severity,
        layer=layer,
        code=finding.code,
    )


def restart(daemon: str, verb: str = "restart") -> Remedy:
    """The command for the machine that a daemon runs on; "mds" means all MDS there."""
    kind, _, name = daemon.partition(".")
    unit = f"ceph-{kind}@{name}" if name else f"ceph-{kind}.target"
    return (here("systemctl", verb, unit),)


def host(daemon: str, address: str | None = None) -> str:
    return f"the host of {daemon}" + (f" ({Address.parse(address).host})" if address else "")


@check(
    "CLUSTER_UNREACHABLE",
    "The monitors do not answer",
    Layer.NETWORK,
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def cluster_unreachable(view: View) -> Iterator[Problem]:
    """No monitor answered within the deadline.

    What the nodes know is evaluated anyway. What only the cluster knows (caps, sessions, blocklist)
    is UNKNOWN. Existing mounts keep working, except for df; new ones fail. A monitor that accepts
    connections and sends no banner is frozen, and named.
    """
    failure = view.cluster.failure
    if failure and failure.unanswered and isinstance(view.cluster.monmap, Unreadable):
        silent = [each for each in failure.silent if each.name.startswith("mon")]
        hosts = ", ".join(dict.fromkeys(Address.parse(each.address).host for each in silent))
        seen = [
            f"{each.node.name}: {place} {word}"
            for each in view.fleet
            for place, word in each.network.items()
        ]
        yield Problem(
            failure.message,
            cluster=(*map(str, silent), *seen[:MAX_EVIDENCE]),
            remedy=restart("mon"),
            host=hosts or "the hosts of the monitors",
        )


@check(
    "CLUSTER_ACCESS_DENIED",
    "The cluster rejected cephctl's key or caps",
    Layer.SYMPTOM,
    severity=Severity.UNKNOWN,
    scope=Scope.CLUSTER,
)
def cluster_access_denied(view: View) -> Iterator[Problem]:
    """The key or the caps of the operator's own entity do not suffice, so the cluster's side is
    unknown.

    The nodes are evaluated with their own facts.
    """
    failure = view.cluster.failure
    if failure and not failure.unanswered:
        yield Problem(failure.message, tuple((failure.hint or "").splitlines()))


@check(
    "MDS_SILENT",
    "An MDS accepts connections and sends no banner",
    Layer.MDS,
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def mds_silent(view: View) -> Iterator[Problem]:
    """Every Ceph daemon sends a banner at once; this one does not. It is frozen or overloaded, and
    all that needs it hangs.

    The monitors replace it after 15 s (mds_beacon_grace) if there is a standby. Without one,
    restart it.
    """
    yield from silent_daemons(view, "mds")


@check(
    "OSD_SILENT",
    "An OSD accepts connections and sends no banner",
    Layer.OSD,
    scope=Scope.CLUSTER,
)
def osd_silent(view: View) -> Iterator[Problem]:
    """A frozen OSD: reads and writes of its objects hang on every node, and so does an MDS that
    waits for its journal.

    Other OSDs report it after 20 s (osd_heartbeat_grace); a single OSD is not reported. Restart it.
    If a process stays in an uninterruptible sleep, `ceph osd down ID` makes clients send their
    requests again.
    """
    yield from silent_daemons(view, "osd")


@check(
    "MDS_DEAD",
    "An MDS has died, and the monitors do not know yet",
    Layer.MDS,
    needs=("cluster.daemons",),
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def mds_dead(view: View) -> Iterator[Problem]:
    """Its port refuses connections from every node. The monitors report it as active for 15 s
    (mds_beacon_grace).

    Then a standby takes over, or it is reported as laggy.
    """
    yield from dead_daemons(view, "mds")


@check(
    "OSD_DEAD",
    "An OSD has died, and the monitors do not know yet",
    Layer.OSD,
    needs=("cluster.osdmap",),
    scope=Scope.CLUSTER,
)
def osd_dead(view: View) -> Iterator[Problem]:
    """Its port refuses connections from every node, and the OSD map reports it as up.

    Other OSDs report it within seconds. A single OSD is reported after 15 min
    (mon_osd_report_timeout).
    """
    yield from dead_daemons(view, "osd")


def silent_daemons(view: View, kind: str) -> Iterator[Problem]:
    """Daemons that cephctl itself found silent, or every node that tried."""
    failure = view.cluster.failure
    silent = failure.silent if failure else ()
    found: dict[str, tuple[str, ...]] = {each.name: (str(each),) for each in silent}
    for name, place in daemon_places(view, kind):
        words = {each.reach(place.host, place.port) for each in view.fleet}
        if "silent" in words and not {"ok", "refused"} & words:
            found.setdefault(name, heard(view, place))
    for name, lines in found.items():
        if name.startswith(f"{kind}."):
            yield Problem(
                f"{name} is frozen or overloaded",
                cluster=lines,
                remedy=restart(name),
                host=host(name),
            )


def dead_daemons(view: View, kind: str) -> Iterator[Problem]:
    """Daemons whose port refuses every node, though the monitors report them as running."""
    laggy = {f"mds.{each.name}" for each in view.daemons if each.laggy}
    for name, place in daemon_places(view, kind):
        if name not in laggy and view.is_refused_everywhere(place.host, place.port):
            yield Problem(
                f"{name} does not run, and the monitors do not know yet",
                cluster=heard(view, place),
                remedy=restart(name),
                host=host(name, str(place)),
            )


def heard(view: View, place: Address) -> tuple[str, ...]:
    return tuple(
        f"{each.node.name}: {place} {each.reach(place.host, place.port)}" for each in view.fleet
    )


def daemon_places(view: View, kind: str) -> list[tuple[str, Address]]:
    """Names and addresses of the daemons of a kind that the monitors report as running."""
    if kind == "mds":
        return [
            (f"mds.{each.name}", Address.parse(each.address))
            for each in view.daemons
            if each.is_active and each.address
        ]
    return [(f"osd.{each.id}", each.address) for each in view.osdmap.osds if each.address]
