"""Checks of the client itself: evicted, blocklisted, closed, forgotten."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from typing import Any

from cephctl.cluster.blocklist import host_of, network_of
from cephctl.doctor.check import REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

CLIENT = ("clients", "mounts")


def both_sides(view: View) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the node and the cluster say of one client."""
    client = view.client
    states = (
        ", ".join(f"mds.{rank} {state}" for rank, state in client["sessions"].items())
        or "no MDS session"
    )
    entry = view.known("osdmap").get("blocklist", {}).get(view.instance)
    cluster = [
        f"blocklist has {view.instance} until {entry}"
        if entry
        else f"blocklist has no {view.instance}"
    ]
    cluster.append(
        f"MDS session {view.session['id']} is {view.session['state']}"
        if view.session
        else "no MDS session of that client"
    )
    if former := evicted_before(view):
        cluster.append(f"evicted before, within the last hour: {', '.join(former)}")
    return (
        f"client {view.instance}, blocklisted: {str(bool(client['blocklisted'])).lower()}, {states}",
    ), tuple(cluster)


def evicted_before(view: View) -> list[str]:
    """Former clients of this host on the blocklist."""
    host = host_of(view.instance or "")
    entries = view.known("osdmap").get("blocklist", {})
    return [
        each
        for each in entries
        if host_of(each) == host and each != view.instance and not each.endswith("/0")
    ]


def why(view: View) -> tuple[str, ...]:
    """What the kernel log says of how it came to it."""
    names = ("reconnect_denied", "session_closed", "mds_hung", "data_dropped")
    return tuple(f"kernel log: {view.events[name].text}" for name in names if name in view.events)


@check(
    "NODE_BLOCKLISTED",
    "The node's whole address is blocklisted",
    Layer.BLOCKLIST,
    needs=("cluster.osdmap",),
)
def node_blocklisted(view: View) -> Iterator[Problem]:
    """An entry without a nonce, or a range (a network fence), covers the node's address: new mounts are refused too. Remove it if
    nobody meant it, then remount.
    """
    for entry in covering(view, view.node.address):
        kind, place = entry
        remove = f"ceph osd blocklist {'range ' if kind == 'range' else ''}rm {place}"
        yield Problem(
            f"{place} is blocklisted, which is this node",
            node=(f"address {view.node.address}",),
            cluster=(f"{'range_' if kind == 'range' else ''}blocklist has {place}",),
            remedy=f"{remove} && {REMOUNT}",
        )


def covering(view: View, address: str) -> Iterator[tuple[str, str]]:
    """Blocklist entries of a whole address: pairs of kind and the entry as the command that removes it wants it."""
    osdmap = view.known("osdmap")
    for entry in osdmap.get("blocklist", {}):
        if entry in (f"{address}:0/0", f"[{address}]:0/0"):
            yield "address", entry
    for entry in osdmap.get("range_blocklist", {}):
        network = network_of(entry)
        try:
            if ipaddress.ip_address(address) in ipaddress.ip_network(network, strict=False):
                yield "range", network
        except ValueError:
            continue


@check(
    "CLIENT_BLOCKLISTED",
    "The kernel client was evicted and is blocklisted",
    Layer.BLOCKLIST,
    needs=(*CLIENT, "cluster.osdmap"),
    remedy=REMOUNT,
)
def client_blocklisted(view: View) -> Iterator[Problem]:
    """The MDS ended this client's session and the monitors put its instance on the blocklist for an hour: somebody evicted it, it
    was silent for 300 s (session_autoclose), it did not come back within 45 s of an MDS failover, or it did not give back caps.
    Everything on the mount says Permission denied while df and ceph -s look well. Taking it off the blocklist does not help, the
    client stays rejected for good: remount. Find out why it was evicted, or it will be again: one that was
    evicted several times within the hour (it is shown) has a flapping link, does not give back caps
    (mds_cap_revoke_eviction_timeout), or lets its session's metadata grow (mds_session_metadata_threshold).
    """
    if view.client and view.instance in view.known("osdmap").get("blocklist", {}):
        node, cluster = both_sides(view)
        yield Problem(
            "this mount's client was evicted and is blocklisted",
            node=(*node, *why(view)),
            cluster=cluster,
        )


@check(
    "CLIENT_REJECTED",
    "The kernel client was evicted; its blocklist entry has expired",
    Layer.BLOCKLIST,
    needs=(*CLIENT, "cluster.osdmap"),
    remedy=REMOUNT,
)
def client_rejected(view: View) -> Iterator[Problem]:
    """The node knows that it was rejected, and the cluster has forgotten: the blocklist entry lasts an hour (or was removed), the
    mount stays dead for ever. The classic "Permission denied on one node, and the cluster is healthy". Remount.
    """
    if view.is_rejected and view.instance not in view.known("osdmap").get("blocklist", {}):
        node, cluster = both_sides(view)
        yield Problem(
            "this mount's client was rejected for good, though the blocklist no longer has it",
            node=(*node, *why(view)),
            cluster=cluster,
        )


@check(
    "SESSIONS_REFUSED",
    "The file system refuses new sessions",
    Layer.MDS,
    needs=("cluster.file_systems",),
    wide=True,
)
def sessions_refused(view: View) -> Iterator[Problem]:
    """The flag refuse_client_session is set, as it is for maintenance: clients are rejected without being blocklisted."""
    for system in view.known("file_systems"):
        if system["refuse_sessions"]:
            yield Problem(
                f"file system {system['name']} refuses client sessions",
                cluster=("flag refuse_client_session",),
                remedy=f"ceph fs set {system['name']} refuse_client_session false",
            )


@check(
    "FORCED_UMOUNT",
    "A forced umount left the mount behind, or the client shut itself down",
    Layer.BLOCKLIST,
    needs=(*CLIENT, "kernel_log"),
    remedy=REMOUNT,
)
def forced_umount(view: View) -> Iterator[Problem]:
    """Everything says Input/output error: umount -f ended all requests, but something held the mount; or the client met a map it
    could not decode and fenced itself. It never recovers: remount.
    """
    event = view.events.get("fenced_itself")
    broken = [name for name in ("mds", "osd") if view.probe(name).get("error") == "EIO"]
    if view.client and not view.is_rejected and (event or broken):
        lines = [f"kernel log: {event.text}"] if event else []
        yield Problem(
            "the client is shut down; everything says EIO",
            node=(*lines, *(f"probe {name}: EIO" for name in broken)),
        )


@check(
    "SESSION_MISSING",
    "No MDS knows this mount's client",
    Layer.BLOCKLIST,
    needs=(*CLIENT, "cluster.sessions"),
    remedy=REMOUNT,
)
def session_missing(view: View) -> Iterator[Problem]:
    """Debugfs shows a client, and no active MDS has a session of its instance: the session is lost, and the idle client has not
    noticed. The first access will show it.
    """
    if (
        view.client
        and view.instance
        and not view.is_rejected
        and not view.session
        and not any(client_blocklisted(view))
    ):
        node, cluster = both_sides(view)
        yield Problem("no MDS has a session of this mount's client", node=node, cluster=cluster)


@check(
    "CLIENT_CLOSED",
    "The MDS closed this client's session",
    Layer.BLOCKLIST,
    needs=(*CLIENT, "kernel_log"),
    remedy=REMOUNT,
)
def client_closed(view: View) -> Iterator[Problem]:
    """The client missed the 45 s (mds_reconnect_timeout) in which it could come back after an MDS failover, or was evicted without a
    blocklist entry.
    """
    event = view.events.get("reconnect_denied") or view.events.get("session_closed")
    if (
        event
        and view.client
        and not view.is_rejected
        and "open" not in view.client["sessions"].values()
    ):
        yield Problem("the MDS closed this client's session", node=(f"kernel log: {event.text}",))


@check(
    "CLIENT_RECONNECTED",
    "The client was evicted and has reconnected by itself",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("kernel_log",),
)
def client_reconnected(view: View) -> Iterator[Problem]:
    """recover_session=clean did its work: the mount is alive, unwritten data and file locks were dropped, and files that were open
    for writing fail with EBADF for good. Restart what keeps files open (log files of nginx, daemons with locks).
    """
    if event := view.events.get("auto_reconnected"):
        yield Problem(
            "the client was evicted and reconnected; open files are dead",
            node=(f"kernel log: {event.text}",),
        )


@check(
    "DATA_DROPPED",
    "The kernel dropped unwritten data or locks",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("kernel_log",),
)
def data_dropped(view: View) -> Iterator[Problem]:
    """When a session was lost, writes that had been acknowledged to programs did not reach the cluster, or file locks were lost.
    Tell the owners of what was being written then.
    """
    for name, what in (("data_dropped", "unwritten data"), ("locks_dropped", "file locks")):
        if event := view.events.get(name):
            yield Problem(
                f"the kernel dropped {what}, {event.count} times",
                node=(f"{event.age:.0f} s before: {event.text}",),
            )


@check(
    "ZOMBIE_CLIENT",
    "A client lives on without a mount",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=(*CLIENT, "pins"),
)
def zombie_client(view: View) -> Iterator[Problem]:
    """A lazy umount takes the mount out of sight while processes still hold files of it: its client and MDS session live on, with
    the old key, and its caps can block other nodes (MDS_CLIENT_LATE_RELEASE). It ends with the last of its holders: restart those.
    """
    if not view.zombies:
        return
    holders = [pin for pin in view.section("pins") if pin["mount"] == "detached"]
    sessions = {each["instance"]: each["id"] for each in view.known("sessions") or []}
    names = tuple(f"client {z['instance']} without a mount" for z in view.zombies)
    yield Problem(
        f"{len(view.zombies)} client{'s' if len(view.zombies) > 1 else ''} without a mount",
        node=(
            *names,
            *(
                f"{pin['command']} ({pin['pid']}) of {pin['unit']} holds {pin['files'][0]}"
                for pin in holders
            ),
        ),
        cluster=tuple(
            f"MDS session {sessions[z['instance']]}"
            for z in view.zombies
            if z["instance"] in sessions
        ),
        remedy=release(view, holders),
    )


def release(view: View, holders: list[Any]) -> str | None:
    """Services are restarted; what belongs to none is ended by pid."""
    units = sorted({pin["unit"] for pin in holders if str(pin["unit"]).endswith(".service")})
    pids = [str(pin["pid"]) for pin in holders if not str(pin["unit"]).endswith(".service")]
    commands = [f"systemctl restart {' '.join(units)}"] if units else []
    commands += [f"kill {' '.join(pids)}"] if pids else []
    return (
        f"{view.site.ssh(view.node.name)} \"sudo sh -c '{' ; '.join(commands)}'\""
        if commands
        else None
    )
