"""Checks of the cluster itself: what is wrong there is wrong for every node."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from cephctl.doctor.check import Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

SEVERITIES = {"HEALTH_WARN": Severity.WARN, "HEALTH_ERR": Severity.ERR}
# Ceph's own codes that have nothing to do with a mount.
ELSEWHERE = (
    "MGR_",
    "RECENT_",
    "TELEMETRY_",
    "CEPHADM_",
    "DEVICE_",
    "OSDMAP_FLAGS",
    "POOL_APP",
    "POOL_TOO",
    "POOL_PG",
    "TOO_",
    "DAEMON_OLD",
)
# Judged by checks of our own, with the evidence of both sides.
OURS = ("MDS_ALL_DOWN",)


def daemons(view: View) -> list[Any]:
    return list(view.known("daemons") or [])


def restart(kind: str, name: str, address: Any) -> dict[str, Any]:
    """The command that restarts a daemon, on the host it runs on."""
    place = f" ({address[0]})" if address else ""
    return {
        "remedy": f"systemctl restart ceph-{kind}@{name}",
        "host": f"the host of {kind}.{name}{place}",
    }


def start_all(kind: str, verb: str = "start", host: str | None = None) -> dict[str, Any]:
    """The command for a host whose daemons' names are not known."""
    return {
        "remedy": f"systemctl {verb} ceph-{kind}.target",
        "host": host or f"the hosts of the {kind}",
    }


@check("CLUSTER_UNREACHABLE", "The monitors do not answer", Layer.NETWORK, wide=True)
def cluster_unreachable(view: View) -> Iterator[Problem]:
    """No monitor answered within the deadline. What the nodes know is judged all the same; what the cluster knows (caps, sessions,
    blocklist) is UNKNOWN. Mounts that are up go on, except for df; new ones fail. A monitor that accepts connections and says nothing
    is frozen, and named.
    """
    if view.cluster.get("silence") and "monmap" not in view.cluster:
        lines = [line for line in view.cluster.get("silent") or () if line.startswith("monitor ")]
        hosts = ", ".join(dict.fromkeys(line.split()[1].rpartition(":")[0] for line in lines))
        seen = [
            f"{each.node.name}: {place} {word}"
            for each in view.fleet
            for place, word in (each.section("network") or {}).items()
        ]
        yield Problem(
            str(view.cluster["error"]),
            cluster=(*lines, *seen[:6]),
            **start_all("mon", "restart", hosts or None),
        )


@check(
    "CLUSTER_REFUSES",
    "The cluster does not let cephctl in",
    Layer.SYMPTOM,
    severity=Severity.UNKNOWN,
    wide=True,
)
def cluster_refuses(view: View) -> Iterator[Problem]:
    """The key or the caps of the operator's own entity do not suffice, so the cluster's side is unknown; the nodes are judged by what
    they know themselves.
    """
    if view.cluster.get("error") and not view.cluster.get("silence"):
        yield Problem(
            str(view.cluster["error"]), tuple(str(view.cluster.get("hint") or "").splitlines())
        )


@check("MDS_SILENT", "An MDS accepts connections and says nothing", Layer.MDS, wide=True)
def mds_silent(view: View) -> Iterator[Problem]:
    """Every Ceph daemon speaks first; this one does not: it is frozen, or so busy that it is as good as that. Whatever needs it
    hangs. The monitors replace it after 15 s (mds_beacon_grace) if a standby is there; without one, restart it.
    """
    yield from silent_daemons(view, "mds")


@check("OSD_SILENT", "An OSD accepts connections and says nothing", Layer.OSD, wide=True)
def osd_silent(view: View) -> Iterator[Problem]:
    """A frozen OSD: reads and writes of what it holds hang on every node, and so does an MDS that waits for its journal. Other OSDs
    report it after 20 s (osd_heartbeat_grace); where it is the only one nobody does. Restart it. A process that is left in an
    uninterruptible sleep afterwards is freed by `ceph osd down ID`, which makes clients send their requests again.
    """
    yield from silent_daemons(view, "osd")


@check(
    "MDS_DEAD",
    "An MDS has died, and the monitors do not know yet",
    Layer.MDS,
    needs=("cluster.daemons",),
    wide=True,
)
def mds_dead(view: View) -> Iterator[Problem]:
    """Its port refuses connections from every node. For 15 s (mds_beacon_grace) the monitors still call it active; then a standby takes
    over, or it is called laggy.
    """
    yield from dead_daemons(view, "mds")


@check(
    "OSD_DEAD",
    "An OSD has died, and the monitors do not know yet",
    Layer.OSD,
    needs=("cluster.osdmap",),
    wide=True,
)
def osd_dead(view: View) -> Iterator[Problem]:
    """Its port refuses connections from every node, and the OSD map calls it up: other OSDs report it within seconds, but where it is the
    only one nobody does for 15 min (mon_osd_report_timeout).
    """
    yield from dead_daemons(view, "osd")


def silent_daemons(view: View, kind: str) -> Iterator[Problem]:
    """Daemons that cephctl itself found silent, or every node that asked them."""
    found: dict[str, tuple[str, ...]] = {
        line.split()[0]: (line,) for line in view.cluster.get("silent") or ()
    }
    for name, (host, port) in places(view, kind):
        words = [each.reach(host, port) for each in view.fleet]
        if "silent" in words and not {"ok", "refused"} & set(words):
            found.setdefault(name, heard(view, host, port))
    for name, lines in found.items():
        if name.startswith(f"{kind}."):
            summary = f"{name} is frozen or overloaded"
            yield Problem(summary, cluster=lines, **restart(kind, name.partition(".")[2], None))


def dead_daemons(view: View, kind: str) -> Iterator[Problem]:
    """Daemons that every node is refused by, though the monitors think them at work."""
    missed = {f"mds.{each['name']}" for each in daemons(view) if each["laggy"]}
    for name, (host, port) in places(view, kind):
        if name not in missed and view.is_refused_everywhere(host, port):
            summary = f"{name} does not run, and the monitors do not know yet"
            yield Problem(
                summary,
                cluster=heard(view, host, port),
                **restart(kind, name.partition(".")[2], [host]),
            )


def heard(view: View, host: str, port: int) -> tuple[str, ...]:
    return tuple(f"{each.node.name}: {host}:{port} {each.reach(host, port)}" for each in view.fleet)


def places(view: View, kind: str) -> list[tuple[str, Any]]:
    """Names and addresses of the daemons of a kind that the monitors think are at work."""
    if kind == "mds":
        return [
            (f"mds.{each['name']}", each["address"])
            for each in daemons(view)
            if each["state"] == "up:active" and each["address"]
        ]
    return [
        (f"osd.{each['id']}", each["address"])
        for each in view.known("osdmap").get("osds", ())
        if each["address"]
    ]


@check(
    "MDS_ALL_DOWN",
    "No MDS is active",
    Layer.MDS,
    needs=("cluster.file_systems", "cluster.daemons"),
    wide=True,
)
def mds_all_down(view: View) -> Iterator[Problem]:
    """No daemon holds a rank of the file system: everything but df hangs, and new mounts fail. Start an MDS; if the file system is
    not joinable (`fs fail`, maintenance), let MDS join again.
    """
    for system in view.known("file_systems"):
        active = [
            d
            for d in daemons(view)
            if d["file_system"] == system["name"]
            and d["state"] not in ("failed", "damaged", "up:standby-replay")
        ]
        if active:
            continue
        joinable = system["joinable"]
        cluster = (
            f"file system {system['name']}: no rank is held",
            *(() if joinable else ("it is not joinable",)),
        )
        fix = (
            {"remedy": f"ceph fs set {system['name']} joinable true"}
            if not joinable
            else start_all("mds")
        )
        yield Problem(f"file system {system['name']} has no MDS", cluster=cluster, **fix)


@check(
    "MDS_LAGGY", "The monitors do not hear an MDS", Layer.MDS, needs=("cluster.daemons",), wide=True
)
def mds_laggy(view: View) -> Iterator[Problem]:
    """It holds a rank, has sent no beacon for 15 s, and no standby could take over: its clients hang until it answers or another
    MDS is started.
    """
    for daemon in daemons(view):
        if daemon["laggy"] and daemon["rank"] is not None:
            yield Problem(
                f"mds.{daemon['name']} of rank {daemon['rank']} does not answer the monitors",
                cluster=(f"mds.{daemon['name']} {daemon['state']}, laggy",),
                **restart("mds", daemon["name"], daemon["address"]),
            )


@check(
    "MDS_RECOVERING",
    "An MDS is taking over a rank",
    Layer.MDS,
    needs=("cluster.daemons",),
    wide=True,
)
def mds_recovering(view: View) -> Iterator[Problem]:
    """A failover is under way (replay, reconnect, rejoin, clientreplay): clients hang until the rank is active again, as a rule less
    than a minute. A client that does not come back within 45 s of reconnect is evicted and needs a remount. Wait, then look again.
    """
    for daemon in daemons(view):
        if (
            daemon["rank"] is not None
            and daemon["state"] not in ("up:active", "up:standby-replay", "failed", "damaged")
            and not daemon["laggy"]
        ):
            yield Problem(
                f"mds.{daemon['name']} is taking over rank {daemon['rank']} ({daemon['state']})",
                cluster=(f"mds.{daemon['name']} {daemon['state']}",),
                remedy="cephctl mds status",
            )


@check(
    "MDS_NO_STANDBY",
    "No MDS could take over",
    Layer.MDS,
    severity=Severity.WARN,
    needs=("cluster.daemons",),
    wide=True,
)
def mds_no_standby(view: View) -> Iterator[Problem]:
    """Every active MDS is a single point of failure: when it fails, all mounts hang until somebody starts one. Ceph itself warns
    only where standby_count_wanted asks for one.
    """
    states = [daemon["state"] for daemon in daemons(view)]
    if "up:active" in states and not {"up:standby", "up:standby-replay"} & set(states):
        names = ", ".join(
            f"mds.{daemon['name']}" for daemon in daemons(view) if daemon["state"] == "up:active"
        )
        yield Problem(f"no standby MDS: {names} is a single point of failure", **start_all("mds"))


@check(
    "OSD_WRITES_STOPPED",
    "A flag of the OSD map stops writes",
    Layer.OSD,
    needs=("cluster.osdmap",),
    wide=True,
)
def osd_writes_stopped(view: View) -> Iterator[Problem]:
    """full, pausewr or pauserd is set: writes (or reads) fail with ENOSPC or wait. `full` comes by itself at 95 % (mon_osd_full_ratio)
    and ends when space is freed; pause flags are set by hand, and unset so.
    """
    flags = [
        flag
        for flag in view.known("osdmap").get("flags", ())
        if flag in ("full", "pausewr", "pauserd")
    ]
    if flags:
        what = "pause" if flags[0].startswith("pause") else "full"
        yield Problem(
            f"the OSD map is flagged {', '.join(flags)}",
            cluster=(f"flags {', '.join(flags)}",),
            remedy=f"ceph osd unset {what}",
        )


@check(
    "DATA_POOL_FULL",
    "A pool of the file system is full",
    Layer.OSD,
    needs=("cluster.osdmap", "cluster.file_systems"),
    wide=True,
)
def data_pool_full(view: View) -> Iterator[Problem]:
    """The pool reached its quota (pool quotas set the flag too) or its OSDs are full: writes fail with ENOSPC or EDQUOT. Add space,
    delete, or lift the pool's quota.
    """
    used = {
        pool
        for system in view.known("file_systems")
        for pool in (*system["data_pools"], system["metadata_pool"])
    }
    for pool in view.known("osdmap").get("pools", ()):
        if pool["full"] and pool["id"] in used:
            yield Problem(
                f"pool {pool['name']} is full or reached its quota",
                cluster=(f"pool {pool['name']}: full",),
                remedy=f"ceph osd pool set-quota {pool['name']} max_bytes 0",
            )


@check(
    "POOL_MISSING",
    "The client writes to a pool that is gone",
    Layer.OSD,
    needs=("kernel_log", "cluster.osdmap"),
    remedy="ceph osd pool ls detail",
)
def pool_missing(view: View) -> Iterator[Problem]:
    """A pool was removed while a directory's layout still names it: only what lies there hangs or fails. Find the directory
    (getfattr -n ceph.dir.layout) and give it another pool.
    """
    if event := view.events.get("pool_missing"):
        yield Problem(
            "the kernel client asks for a pool that does not exist",
            node=(f"kernel log: {event.text}",),
        )


@check(
    "CEPH_HEALTH",
    "Ceph itself warns",
    Layer.MDS,
    severity=Severity.WARN,
    needs=("cluster.health",),
    wide=True,
)
def ceph_health(view: View) -> Iterator[Problem]:
    """What `ceph health detail` says that concerns a mount: MDS_*, FS_*, OSD_*, PG_*, POOL_*, MON_*, AUTH_*, SLOW_OPS. The summary
    begins with Ceph's own code; its meaning is in Ceph's documentation of health checks. A client that does not give back caps
    (MDS_CLIENT_LATE_RELEASE) is named with its node where the inventory has it.
    """
    for code, found in sorted(view.known("health").get("checks", {}).items()):
        if found.get("muted") or code.startswith(ELSEWHERE) or code in OURS:
            continue
        detail = tuple(with_node(view, line["message"]) for line in found.get("detail", ()))
        depth = (
            Layer.OSD
            if code.startswith(("OSD_", "PG_", "POOL_", "SLOW_", "BLUESTORE", "OBJECT_", "LARGE_"))
            else Layer.NETWORK
            if code.startswith("MON_")
            else Layer.MDS
        )
        yield Problem(
            f"{code}: {found['summary']['message']}",
            cluster=detail[:3],
            severity=SEVERITIES.get(found["severity"]),
            depth=depth,
            remedy="ceph health detail",
        )


def with_node(view: View, message: str) -> str:
    """A line of Ceph's about a client, with the host that the client is."""
    match = re.search(r"client_id: (\d+)", message)
    hosts = {str(each["id"]): each["hostname"] for each in view.known("sessions") or []}
    host = hosts.get(match[1]) if match else None
    return f"{message} (host {host})" if host and host not in message else message
