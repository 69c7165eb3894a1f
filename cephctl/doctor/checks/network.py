"""Checks of the network between a node and the daemons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from cephctl.address import Address
from cephctl.doctor.check import PUSH_AND_REMOUNT, Layer, Problem, check
from cephctl.doctor.view import REACHED, View
from cephctl.remedy import MONITOR, on_node
from cephctl.results import Severity

ROUTE = (on_node("ip", "route", "get", MONITOR, changes=False),)
MAX_NAMED = 5


def answers(view: View, places: Iterable[tuple[str, int]]) -> tuple[str, ...]:
    return tuple(f"{host}:{port} {view.reach(host, port)}" for host, port in places)


@check(
    "NODE_CUT_OFF",
    "The node reaches none of Ceph's daemons",
    Layer.NETWORK,
    needs=("network", "cluster.monmap"),
    remedy=ROUTE,
    prevents_mount=True,
)
def node_cut_off(view: View) -> Iterator[Problem]:
    """Every monitor, MDS and OSD is unreachable from this node, while they answer elsewhere: route,
    VLAN, firewall or cable.

    The mount hangs. 300 s (session_autoclose) after the last sign of life the MDS evicts the client
    and blocklists it. Then it needs a remount although the network is back. Fix the network first,
    then run the doctor again.
    """
    if view.is_cut_off:
        yield Problem(
            "no daemon of the cluster can be reached",
            node=tuple(f"{place} {word}" for place, word in sorted(view.network.items())),
        )


@check(
    "MON_UNREACHABLE",
    "The node reaches no monitor",
    Layer.NETWORK,
    needs=("network", "cluster.monmap"),
    remedy=ROUTE,
    prevents_mount=True,
)
def mon_unreachable(view: View) -> Iterator[Problem]:
    """Ports 3300 (msgr2) and 6789 (legacy) of the monitors do not answer this node, but other
    daemons do: firewall or route.

    A mount attempt fails after 60 s (mount_timeout) with "no mds server is up" or error 110. An
    existing mount keeps working, but df and everything that calls statfs hangs.
    """
    places = [(each.host, each.port) for each in view.monitors]
    tried = [view.reach(*place) for place in places]
    if not view.is_cut_off and tried and not set(REACHED) & set(tried):
        yield Problem(
            "no monitor can be reached",
            node=answers(view, places),
            cluster=("the monitors answer cephctl",),
        )


@check(
    "MON_PORT_BLOCKED",
    "A monitor port that the mount needs is closed to the node",
    Layer.NETWORK,
    needs=("network", "cluster.monmap"),
    remedy=(on_node("nft", "list", "ruleset", changes=False),),
    prevents_mount=True,
)
def mon_port_blocked(view: View) -> Iterator[Problem]:
    """The mount's ms_mode decides which port it uses: 6789 for legacy (the default), 3300
    otherwise.

    That port does not answer, the other one does. The mount fails after 60 s, or loses its monitor
    at the next reconnect.
    """
    wanted = "v2" if view.wants_msgr2 else "v1"
    needed = [(each.host, each.port) for each in view.monitors if each.kind == wanted]
    tried = {view.reach(*place) for place in needed}
    others = any(view.reach(each.host, each.port) == "ok" for each in view.monitors)
    if others and tried and not set(REACHED) & tried:
        yield Problem(
            f"the mount needs {wanted}, and no monitor answers on it", node=answers(view, needed)
        )


@check(
    "MDS_UNREACHABLE",
    "The node does not reach an active MDS",
    Layer.NETWORK,
    needs=("network", "cluster.daemons"),
    remedy=ROUTE,
    prevents_mount=True,
)
def mds_unreachable(view: View) -> Iterator[Problem]:
    """The monitors answer this node and report the MDS as active, but its port does not answer from
    here.

    Usually a firewall that allows only the monitors' ports. Daemons use ports 6800 to 7568. ls and
    open hang, df answers.
    """
    if view.is_cut_off:
        return
    for daemon in view.daemons:
        if not daemon.is_active or daemon.laggy or not daemon.address:
            continue
        place = Address.parse(daemon.address)
        if is_lost(view, place):
            yield Problem(
                f"mds.{daemon.name} is active and cannot be reached from here",
                node=answers(view, [(place.host, place.port)]),
                cluster=(f"mds.{daemon.name} {daemon.state}",),
            )


def is_lost(view: View, place: Address) -> bool:
    """Whether a daemon is there, but not for this node."""
    return (
        not view.is_refused_everywhere(place.host, place.port)
        and view.reach(place.host, place.port) not in REACHED
    )


@check(
    "OSD_UNREACHABLE",
    "The node does not reach an OSD that is up",
    Layer.NETWORK,
    needs=("network", "cluster.osdmap"),
    remedy=ROUTE,
)
def osd_unreachable(view: View) -> Iterator[Problem]:
    """The cluster reports the OSD as up, but its port does not answer from here: firewall (6800 to
    7568), MTU or route.

    Reads and writes of the objects on it hang; ls keeps working.
    """
    if view.is_cut_off:
        return
    places = [(osd.id, osd.address) for osd in view.osdmap.osds if osd.address]
    lost = [(number, place) for number, place in places if is_lost(view, place)][:MAX_NAMED]
    if lost:
        names = ", ".join(f"osd.{number}" for number, _ in lost)
        yield Problem(
            f"{names} cannot be reached from here",
            node=answers(view, [(place.host, place.port) for _, place in lost]),
        )


@check(
    "MON_ADDRESS_STALE",
    "The unit names addresses that are not monitors",
    Layer.NETWORK,
    needs=("unit", "cluster.monmap"),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
)
def mon_address_stale(view: View) -> Iterator[Problem]:
    """The unit's What= (or mon_addr=, or mon host in ceph.conf) names no monitor of the monmap.

    An existing mount got the right addresses from the cluster. The next mount will wait 60 s and
    fail.
    """
    hosts = {each.host for each in view.monitors}
    named = {host for host, _ in view.source_monitors}
    if hosts and named and are_addresses(named) and not named & hosts:
        yield Problem(
            f"the unit mounts from {', '.join(sorted(named))}, which is not a monitor",
            node=(f"{view.unit.name}: What={view.source}",),
            cluster=(f"monitors: {', '.join(sorted(hosts))}",),
            severity=view.later,
        )


@check(
    "CONF_STALE",
    "ceph.conf on the node belongs to another cluster",
    Layer.NETWORK,
    needs=("files", "cluster.monmap"),
    remedy=PUSH_AND_REMOUNT,
)
def conf_stale(view: View) -> Iterator[Problem]:
    """Fsid or mon host in the node's ceph.conf is not the cluster's.

    The kernel client uses neither when the unit names the monitors. mount.ceph does when the unit
    does not, and so do all other tools.
    """
    if event := view.events.get("bad_fsid"):
        yield Problem(
            "the monitors belong to another cluster than this client knew", node=(event.line,)
        )
    conf, hosts = view.files.conf, {each.host for each in view.monitors}
    # A file that the next mount does not read, or a mount that is up: no reason for an alarm.
    severity = Severity.WARN if view.is_mounted or view.source_monitors else None
    if conf.fsid and conf.fsid != view.fsid:
        yield Problem(
            "ceph.conf has another fsid",
            node=(f"{conf.path}: fsid = {conf.fsid}",),
            cluster=(f"fsid {view.fsid}",),
            severity=severity,
        )
    elif conf.mon_host and hosts and is_stale(conf.mon_host, hosts):
        yield Problem(
            "ceph.conf names no monitor of this cluster",
            node=(f"{conf.path}: mon host = {conf.mon_host}",),
            cluster=(f"monitors: {', '.join(sorted(hosts))}",),
            severity=severity,
        )


def is_stale(mon_host: str, hosts: set[str]) -> bool:
    return are_addresses({mon_host}) and not any(host in mon_host for host in hosts)


def are_addresses(names: set[str]) -> bool:
    """Names may resolve to anything; only addresses can be compared."""
    return all(name[:1].isdigit() or name.startswith("[") or ":" in name for name in names)


@check(
    "MON_PORT_MISMATCH",
    "The port in the unit does not fit its ms_mode",
    Layer.NETWORK,
    needs=("unit", "cluster.monmap"),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
)
def mon_port_mismatch(view: View) -> Iterator[Problem]:
    """Port 3300 speaks msgr2 only, which the kernel uses with ms_mode=prefer-crc, crc or secure
    (Linux 5.11).

    Port 6789 speaks the legacy protocol only. The kernel log shows "socket closed (con state
    V1_BANNER)" or "server is speaking msgr1 protocol", and the mount fails after 60 s. Omit the
    port, or make the two agree.
    """
    kinds = {(each.host, each.port): each.kind for each in view.monitors}
    for host, port in view.source_monitors:
        kind = kinds.get((host, port or 0))
        if port and kind and kind != ("v2" if view.wants_msgr2 else "v1"):
            protocol = "msgr2" if kind == "v2" else "the legacy protocol"
            mode = view.unit_option.get("ms_mode", "legacy")
            yield Problem(
                f"port {port} speaks {protocol} only, and the unit has ms_mode={mode}",
                node=(f"{view.unit.name}: What={view.source}",),
                cluster=(f"{kind}:{host}:{port}",),
                severity=view.later,
            )
