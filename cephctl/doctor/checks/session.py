"""Checks of the client: evicted, blocklisted, closed, left over."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.address import covers, host_of, network_of
from cephctl.doctor.check import REMOUNT, Layer, Problem, Scope, check
from cephctl.doctor.facts import Client, Holder
from cephctl.doctor.view import View, known
from cephctl.remedy import Remedy, here, on_node
from cephctl.results import Severity


def both_sides(view: View, client: Client) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """What the node and the cluster say of one client."""
    states = (
        ", ".join(f"mds.{rank} {state}" for rank, state in client.sessions.items())
        or "no MDS session"
    )
    entry, session = view.blocklist.get(view.instance or ""), view.session
    cluster = [
        f"blocklist has {view.instance} until {entry}"
        if entry
        else f"blocklist has no {view.instance}",
        f"MDS session {session.id} is {session.state}"
        if session
        else "no MDS session of that client",
    ]
    if former := evicted_before(view):
        cluster.append(f"evicted before, within the last hour: {', '.join(former)}")
    blocklisted = str(bool(client.blocklisted)).lower()
    return (
        (f"client {view.instance}, blocklisted: {blocklisted}, {states}", *why(view)),
        tuple(cluster),
    )


def evicted_before(view: View) -> list[str]:
    """Former clients of this host on the blocklist."""
    if not view.instance:
        return []
    try:
        host = host_of(view.instance)
    except ValueError:
        return []
    return [
        each
        for each in view.blocklist
        if host_of(each) == host and each != view.instance and not each.endswith("/0")
    ]


def why(view: View) -> tuple[str, ...]:
    """What the kernel log says about the reason."""
    names = ("reconnect_denied", "session_closed", "mds_hung", "data_dropped")
    return tuple(view.events[name].line for name in names if name in view.events)


@check(
    "NODE_BLOCKLISTED",
    "The node's whole address is blocklisted",
    Layer.BLOCKLIST,
    needs=("cluster.osdmap",),
    prevents_mount=True,
)
def node_blocklisted(view: View) -> Iterator[Problem]:
    """An entry without a nonce, or a range (a network fence), includes the node's address: new
    mounts are refused too.

    Remove the entry if it was not intended, then remount.
    """
    address = view.node.address
    for entry in view.blocklist:
        if entry in (f"{address}:0/0", f"[{address}]:0/0"):
            yield blocklisted(view, entry, ())
    for entry in view.osdmap.range_blocklist:
        if covers(network_of(entry), address):
            yield blocklisted(view, network_of(entry), ("range",))


def blocklisted(view: View, entry: str, kind: tuple[str, ...]) -> Problem:
    return Problem(
        f"{entry} is blocklisted, which includes this node",
        node=(f"address {view.node.address}",),
        cluster=(f"{'range_' if kind else ''}blocklist has {entry}",),
        remedy=(here("ceph", "osd", "blocklist", *kind, "rm", entry), *REMOUNT),
    )


@check(
    "CLIENT_BLOCKLISTED",
    "The kernel client was evicted and is blocklisted",
    Layer.BLOCKLIST,
    needs=("clients", "mounts", "cluster.osdmap"),
    remedy=REMOUNT,
)
def client_blocklisted(view: View) -> Iterator[Problem]:
    """The MDS ended this client's session, and the monitors put its address and nonce on the
    blocklist for an hour.

    Reasons: an evict command, silence for 300 s (session_autoclose), no reconnect within 45 s of an
    MDS failover, or caps that were not released. All access fails with EACCES while df and ceph -s
    look healthy. Removing it from the blocklist does not help, because the client stays rejected:
    remount. Find the reason, or it will be evicted again. Several evictions within the hour are
    listed. They mean an unstable link, caps that are not released
    (mds_cap_revoke_eviction_timeout), or growing session metadata (mds_session_metadata_threshold).
    """
    if view.client and view.is_blocklisted:
        node, cluster = both_sides(view, view.client)
        yield Problem(
            "this mount's client was evicted and is blocklisted", node=node, cluster=cluster
        )


@check(
    "CLIENT_REJECTED",
    "The kernel client was evicted; its blocklist entry has expired",
    Layer.BLOCKLIST,
    needs=("clients", "mounts", "cluster.osdmap"),
    remedy=REMOUNT,
)
def client_rejected(view: View) -> Iterator[Problem]:
    """The node knows that it was rejected, and the cluster no longer does: a blocklist entry lasts
    an hour, or was removed.

    The mount stays dead permanently. This is the typical "Permission denied on one node, and the
    cluster is healthy". Remount.
    """
    if view.client and view.is_rejected and not view.is_blocklisted:
        node, cluster = both_sides(view, view.client)
        yield Problem(
            "this mount's client was rejected, and the blocklist no longer has it",
            node=node,
            cluster=cluster,
        )


@check(
    "SESSIONS_REFUSED",
    "The file system refuses new sessions",
    Layer.MDS,
    needs=("cluster.file_systems",),
    scope=Scope.CLUSTER,
    prevents_mount=True,
)
def sessions_refused(view: View) -> Iterator[Problem]:
    """The flag refuse_client_session is set, usually for maintenance: clients are rejected without
    being blocklisted.
    """
    for system in view.file_systems:
        if system.refuse_sessions:
            yield Problem(
                f"file system {system.name} refuses client sessions",
                cluster=("flag refuse_client_session",),
                remedy=(here("ceph", "fs", "set", system.name, "refuse_client_session", "false"),),
            )


@check(
    "FORCED_UMOUNT",
    "A forced umount left the mount behind, or the client shut itself down",
    Layer.BLOCKLIST,
    needs=("clients", "mounts", "kernel_log"),
    remedy=REMOUNT,
)
def forced_umount(view: View) -> Iterator[Problem]:
    """All access fails with EIO: umount -f ended all requests, but a process kept the mount busy.

    Or the client received a map that it could not decode, and shut itself down. It never recovers:
    remount.
    """
    event = view.events.get("fenced_itself")
    broken = [name for name in ("mds", "osd") if view.probe_failed(name) == "EIO"]
    if view.client and not view.is_rejected and (event or broken):
        yield Problem(
            "the client is shut down; all access fails with EIO",
            node=(*((event.line,) if event else ()), *(f"probe {name}: EIO" for name in broken)),
        )


@check(
    "SESSION_MISSING",
    "No MDS has a session of this mount's client",
    Layer.BLOCKLIST,
    needs=("clients", "mounts", "cluster.sessions"),
    remedy=REMOUNT,
)
def session_missing(view: View) -> Iterator[Problem]:
    """Debugfs shows a client, and no active MDS has its session: the session is lost, and the idle
    client has not noticed.

    The first access will fail.
    """
    if not view.client or not view.instance or view.session:
        return
    if not view.is_rejected and not view.is_blocklisted:
        node, cluster = both_sides(view, view.client)
        yield Problem("no MDS has a session of this mount's client", node=node, cluster=cluster)


@check(
    "CLIENT_CLOSED",
    "The MDS closed this client's session",
    Layer.BLOCKLIST,
    needs=("clients", "mounts", "kernel_log"),
    remedy=REMOUNT,
)
def client_closed(view: View) -> Iterator[Problem]:
    """The client did not reconnect within 45 s (mds_reconnect_timeout) of an MDS failover, or was
    evicted without a blocklist entry.
    """
    event = view.events.get("reconnect_denied") or view.events.get("session_closed")
    if not event or not view.client or view.is_rejected:
        return
    if "open" not in view.client.sessions.values():
        yield Problem("the MDS closed this client's session", node=(event.line,))


@check(
    "CLIENT_RECONNECTED",
    "The client was evicted and has reconnected automatically",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("kernel_log",),
)
def client_reconnected(view: View) -> Iterator[Problem]:
    """recover_session=clean reconnected the client. Unwritten data and file locks were dropped.

    Files that were open for writing fail with EBADF permanently. Restart what keeps files open
    (nginx with its log files, daemons with locks).
    """
    if event := view.events.get("auto_reconnected"):
        yield Problem(
            "the client was evicted and reconnected; open files are unusable", node=(event.line,)
        )


@check(
    "DATA_DROPPED",
    "The kernel dropped unwritten data or locks",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("kernel_log",),
)
def data_dropped(view: View) -> Iterator[Problem]:
    """When a session was lost, data that programs had written did not reach the cluster, or file
    locks were lost.

    Inform the owners of what was written at that time.
    """
    for name, what in (("data_dropped", "unwritten data"), ("locks_dropped", "file locks")):
        if event := view.events.get(name):
            yield Problem(
                f"the kernel dropped {what}, {event.count} times",
                node=(f"{event.age:.0f} s before: {event.text}",),
            )


@check(
    "ZOMBIE_CLIENT",
    "A client exists without a mount",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("clients", "mounts", "holders"),
    blocks_rotation=True,
)
def zombie_client(view: View) -> Iterator[Problem]:
    """A lazy umount hides a mount while processes still use its files. Its client and MDS session
    remain, with the old key.

    Its caps can block other nodes (MDS_CLIENT_LATE_RELEASE). It ends with the last process that
    uses it: restart those.
    """
    if not view.zombies:
        return
    holders = view.holders("detached")
    sessions = {each.address: each.id for each in known(view.cluster.sessions, ())}
    names = tuple(f"client {each.instance} without a mount" for each in view.zombies)
    yield Problem(
        f"{len(view.zombies)} client{'s' if len(view.zombies) > 1 else ''} without a mount",
        node=(*names, *map(str, holders)),
        cluster=tuple(
            f"MDS session {sessions[each.instance]}"
            for each in view.zombies
            if each.instance in sessions
        ),
        remedy=release(holders),
    )


def release(holders: list[Holder]) -> Remedy:
    """Services are restarted; other processes are ended by pid."""
    units = sorted({each.unit for each in holders if each.unit and each.unit.endswith(".service")})
    pids = [str(each.pid) for each in holders if each.unit not in units]
    commands = [on_node("systemctl", "restart", *units)] if units else []
    return (*commands, *([on_node("kill", *pids)] if pids else []))
