"""Checks of the way from a node to the daemons."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import PUSH, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

NEEDS = ("network",)


def answers(view: View, places: list[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{host}:{port} {view.reach(host, port)}" for host, port in places)


@check(
    "NODE_CUT_OFF",
    "The node reaches none of Ceph's daemons",
    Layer.NETWORK,
    needs=(*NEEDS, "cluster.monmap"),
    remedy="{ssh} ip route get {mon}",
)
def node_cut_off(view: View) -> Iterator[Problem]:
    """Every monitor, MDS and OSD is unreachable from this node, while they answer elsewhere: route, VLAN, firewall, cable. The
    mount hangs; 300 s (session_autoclose) after the last sign of life the MDS evicts and blocklists it, and then it needs a
    remount even though the network is back. So: network first, then look again.
    """
    tried = view.section("network")
    if tried and not any(word in ("ok", "silent") for word in tried.values()):
        yield Problem(
            "no daemon of the cluster can be reached",
            node=tuple(f"{place} {word}" for place, word in sorted(tried.items())),
        )


@check(
    "MON_UNREACHABLE",
    "The node reaches no monitor",
    Layer.NETWORK,
    needs=(*NEEDS, "cluster.monmap"),
    remedy="{ssh} ip route get {mon}",
)
def mon_unreachable(view: View) -> Iterator[Problem]:
    """Ports 3300 (msgr2) and 6789 (legacy) of the monitors do not answer from this node, but other daemons do. A mount attempt
    fails after 60 s (mount_timeout) with "no mds server is up" or error 110; a mount that is up goes on, but df and whatever calls
    statfs hang. Firewall or route.
    """
    if not any(node_cut_off(view)):
        places = [(host, port) for _, host, port in view.monitors]
        tried = [view.reach(*place) for place in places]
        if tried and not any(word in ("ok", "silent", "not tried") for word in tried):
            yield Problem(
                "no monitor can be reached",
                node=answers(view, places),
                cluster=("the monitors answer cephctl",),
            )


@check(
    "MON_PORT_BLOCKED",
    "A monitor port that the mount needs is closed to the node",
    Layer.NETWORK,
    needs=(*NEEDS, "cluster.monmap"),
)
def mon_port_blocked(view: View) -> Iterator[Problem]:
    """The mount's ms_mode decides which port it talks to: legacy (the default) 6789, everything else 3300. That one does not
    answer, the other does. The mount fails after 60 s or loses its monitor at the next reconnect.
    """
    wanted = "v2" if view.wants_msgr2 else "v1"
    needed = [(host, port) for kind, host, port in view.monitors if kind == wanted]
    tried = [view.reach(*place) for place in needed]
    others = any(view.reach(host, port) == "ok" for _, host, port in view.monitors)
    if others and tried and not any(word in ("ok", "silent", "not tried") for word in tried):
        summary = f"the mount needs {wanted}, and no monitor answers on it"
        yield Problem(summary, node=answers(view, needed), remedy="{ssh} sudo nft list ruleset")


@check(
    "MDS_UNREACHABLE",
    "The node does not reach an active MDS",
    Layer.NETWORK,
    needs=(*NEEDS, "cluster.daemons"),
    remedy="{ssh} ip route get {mon}",
)
def mds_unreachable(view: View) -> Iterator[Problem]:
    """The monitors answer this node and call the MDS active, but its port does not answer from here: a firewall that knows only
    the monitors' ports. Daemons use 6800-7568. ls and open hang, df answers.
    """
    if any(node_cut_off(view)):
        return
    for daemon in view.known("daemons"):
        if daemon["state"] == "up:active" and not daemon["laggy"] and daemon["address"]:
            host, port = daemon["address"]
            if not view.is_refused_everywhere(host, port) and view.reach(host, port) not in (
                "ok",
                "silent",
                "not tried",
            ):
                yield Problem(
                    f"mds.{daemon['name']} is active and cannot be reached from here",
                    node=answers(view, [(host, port)]),
                    cluster=(f"mds.{daemon['name']} {daemon['state']}",),
                )


@check(
    "OSD_UNREACHABLE",
    "The node does not reach an OSD that is up",
    Layer.NETWORK,
    needs=(*NEEDS, "cluster.osdmap"),
    remedy="{ssh} ip route get {mon}",
)
def osd_unreachable(view: View) -> Iterator[Problem]:
    """The OSD is up for the cluster, but its port does not answer from here: reads and writes of the objects it holds hang, and ls
    goes on. Firewall (6800-7568), MTU, route.
    """
    if any(node_cut_off(view)):
        return
    lost = [osd for osd in view.known("osdmap").get("osds", ()) if osd["address"]]
    lost = [osd for osd in lost if not view.is_refused_everywhere(*osd["address"])]
    lost = [osd for osd in lost if view.reach(*osd["address"]) not in ("ok", "silent", "not tried")]
    if lost:
        names = ", ".join(f"osd.{osd['id']}" for osd in lost[:5])
        yield Problem(
            f"{names} cannot be reached from here",
            node=answers(view, [tuple(osd["address"]) for osd in lost[:5]]),
        )


@check(
    "MON_ADDRESS_STALE",
    "The node is told of monitors that are none",
    Layer.NETWORK,
    needs=("unit", "cluster.monmap"),
    remedy=PUSH,
)
def mon_address_stale(view: View) -> Iterator[Problem]:
    """The unit's What= (or mon_addr=, or ceph.conf's mon host) names no monitor of the monmap. A mount that is up has long got the
    right addresses from the cluster; the next one will wait 60 s and fail.
    """
    hosts = {host for _, host, _ in view.monitors}
    told = {host for host, _ in view.source_monitors}
    if hosts and told and is_address(told) and not told & hosts:
        yield Problem(
            f"the unit mounts from {', '.join(sorted(told))}, which is no monitor",
            node=(f"{view.unit_name}: What={view.source}",),
            cluster=(f"monitors: {', '.join(sorted(hosts))}",),
            severity=view.later,
        )


@check(
    "CONF_STALE",
    "ceph.conf on the node is another cluster's",
    Layer.NETWORK,
    needs=("files", "cluster.monmap"),
    remedy=PUSH,
)
def conf_stale(view: View) -> Iterator[Problem]:
    """Fsid or mon host in the node's ceph.conf is not the cluster's. The kernel client takes neither when the unit names the
    monitors; mount.ceph does when it does not, and so do all other tools.
    """
    if event := view.events.get("bad_fsid"):
        yield Problem(
            "the monitors belong to another cluster than this client knew",
            node=(f"kernel log: {event.text}",),
        )
    conf, fsid = view.files.get("conf", {}), view.known("monmap").get("fsid")
    hosts = {host for _, host, _ in view.monitors}
    if conf.get("fsid") and conf["fsid"] != fsid:
        yield Problem(
            "ceph.conf has another fsid",
            node=(f"{conf['path']}: fsid = {conf['fsid']}",),
            cluster=(f"fsid {fsid}",),
            severity=mildly(view),
        )
    elif (
        conf.get("mon_host")
        and hosts
        and not any(host in conf["mon_host"] for host in hosts)
        and is_address({conf["mon_host"]})
    ):
        yield Problem(
            "ceph.conf names no monitor of this cluster",
            node=(f"{conf['path']}: mon host = {conf['mon_host']}",),
            cluster=(f"monitors: {', '.join(sorted(hosts))}",),
            severity=mildly(view),
        )


def mildly(view: View) -> Severity | None:
    """A file that the next mount does not read, or a mount that is up: no reason for an alarm."""
    return Severity.WARN if view.is_mounted or view.source_monitors else None


def is_address(names: set[str]) -> bool:
    """Names may resolve to anything; only addresses can be compared."""
    return all(name[:1].isdigit() or name.startswith("[") or ":" in name for name in names)


@check(
    "MON_PORT_MISMATCH",
    "The port in the unit is the wrong one for its ms_mode",
    Layer.NETWORK,
    needs=("unit", "cluster.monmap"),
    remedy=PUSH,
)
def mon_port_mismatch(view: View) -> Iterator[Problem]:
    """Port 3300 speaks msgr2 only, which the kernel uses with ms_mode=prefer-crc, crc or secure (Linux 5.11); port 6789 speaks the
    legacy protocol only. The kernel log shows "socket closed (con state V1_BANNER)" or "server is speaking msgr1 protocol", and the
    mount fails after 60 s. Leave the port out, or make the two agree.
    """
    kinds = {(host, port): kind for kind, host, port in view.monitors}
    for host, port in view.source_monitors:
        kind = kinds.get((host, port or 0))
        if port and kind and kind != ("v2" if view.wants_msgr2 else "v1"):
            yield Problem(
                f"port {port} speaks {'msgr2' if kind == 'v2' else 'the legacy protocol'} only, and the unit asks for ms_mode="
                f"{view.unit_option.get('ms_mode', 'legacy')}",
                node=(f"{view.unit_name}: What={view.source}",),
                cluster=(f"{kind}:{host}:{port}",),
                severity=view.later,
            )
