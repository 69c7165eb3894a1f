"""Checks of the entity, its caps, and the type of its key."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.caps import clauses, excludes, reaches_pool, sees_file_system, web_caps
from cephctl.doctor.check import (
    PUSH_AND_REMOUNT,
    REMOUNT,
    Layer,
    Problem,
    Scope,
    Topic,
    check,
)
from cephctl.doctor.view import View
from cephctl.remedy import Remedy, here
from cephctl.results import Severity
from cephctl.units import version_numbers

ALL_RIGHTS = frozenset("abcdefghijklmnopqrstuvwxyz")


def caps_argv(verb: str, view: View) -> tuple[str, ...]:
    """The `ceph auth` command with the caps that a web node needs. It names every service: `auth
    caps` deletes the others.
    """
    system = view.file_system
    caps = web_caps(system.name if system else "cephfs", view.site.root)
    words = [word for service, cap in caps.items() for word in (service, cap)]
    return ("ceph", "auth", verb, view.site.entity, *words)


def restore_caps(view: View) -> Remedy:
    """A session keeps the caps that it was opened with, so the mount needs a new one."""
    return (here(*caps_argv("caps", view)), *REMOUNT)


def shown(view: View) -> tuple[str, ...]:
    caps = view.entity.caps
    return tuple(f"{service} '{cap}'" for service, cap in caps.items()) or ("no caps",)


def caps_of(view: View, service: str) -> str | None:
    """None where the entity does not exist: another check reports that."""
    return view.entity.caps.get(service, "") if view.entity.exists else None


@check(
    "ENTITY_MISSING",
    "The entity does not exist in the cluster",
    Layer.AUTH,
    needs=("cluster.entity",),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def entity_missing(view: View) -> Iterator[Problem]:
    """It was deleted, or the cluster was rebuilt.

    An existing mount works until its monitor session breaks, then it hangs. New mounts fail with
    the text "no mds server is up". Create the entity again (with a new key), then push the key to
    every node.
    """
    if not view.entity.exists:
        create = here(*caps_argv("get-or-create", view), "-o", "/dev/null")
        yield Problem(
            f"{view.site.entity} does not exist",
            cluster=(f"auth get {view.site.entity}: ENOENT",),
            remedy=(create, *PUSH_AND_REMOUNT),
        )


@check(
    "CAPS_NO_MON",
    "The entity has no mon caps",
    Layer.AUTH,
    needs=("cluster.entity",),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def caps_no_mon(view: View) -> Iterator[Problem]:
    """`ceph auth caps ENTITY mds '…'` silently deletes every service that it does not name; the mon
    caps are missed first.

    Existing mounts notice at their next authentication. New ones fail with "no mds server is up"
    and -13 in the kernel log. Restore the caps of all services.
    """
    if caps_of(view, "mon") == "":
        yield Problem(
            f"{view.site.entity} has no mon caps", cluster=shown(view), remedy=restore_caps(view)
        )


@check(
    "CAPS_NO_MDS",
    "The entity has no mds caps",
    Layer.AUTH,
    needs=("cluster.entity",),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def caps_no_mds(view: View) -> Iterator[Problem]:
    """Without mds caps that allow at least rw the MDS refuses the session, or every change.

    A session keeps the caps that it was opened with. After the caps are restored the node must be
    remounted.
    """
    caps = caps_of(view, "mds")
    if caps is not None and not any(clause.allows("rw") for clause in clauses(caps)):
        yield Problem(
            f"{view.site.entity} has no mds caps to read and write",
            cluster=shown(view),
            remedy=restore_caps(view),
        )


@check(
    "CAPS_NO_OSD",
    "The entity has no osd caps for the file system's data",
    Layer.AUTH,
    needs=("cluster.entity", "cluster.file_systems", "cluster.osdmap"),
    topic=Topic.KEYS,
)
def caps_no_osd(view: View) -> Iterator[Problem]:
    """Ls works, cat and write fail with EPERM: the osd caps do not include the data pool.

    A pool was added, or the caps name another one. `allow rw tag cephfs data=NAME` includes all
    pools of the file system, also later ones.
    """
    caps, system = caps_of(view, "osd"), view.file_system
    if caps is None or not system:
        return
    names = {pool.id: pool.name for pool in view.osdmap.pools}
    pools = [names.get(pool, str(pool)) for pool in system.data_pools]
    missing = [name for name in pools if not reaches_pool(caps, name, system.name)]
    if missing:
        yield Problem(
            f"{view.site.entity} may not read and write data pool {', '.join(missing)}",
            cluster=shown(view),
            remedy=restore_caps(view),
            severity=None if pools[0] in missing else Severity.WARN,
        )


@check(
    "CAPS_NETWORK",
    "The entity's caps exclude the node's network",
    Layer.AUTH,
    needs=("cluster.entity", "host"),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def caps_network(view: View) -> Iterator[Problem]:
    """The caps end in `network A.B.C.D/N`, and none of the node's addresses is in it.

    Authentication fails from here and works elsewhere, with the same -13 as a wrong key.
    """
    addresses = view.host.addresses
    for service, caps in view.entity.caps.items():
        if limits := excludes(caps, addresses):
            yield Problem(
                f"{view.site.entity}'s {service} caps are for {limits} only",
                node=(f"addresses {', '.join(a for a in addresses if ':' not in a)}",),
                cluster=shown(view),
                remedy=restore_caps(view),
            )


@check(
    "CAPS_FSNAME",
    "The entity's caps hide the file system",
    Layer.AUTH,
    needs=("cluster.entity", "cluster.file_systems"),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def caps_fsname(view: View) -> Iterator[Problem]:
    """The caps are restricted to another file system (`fsname=`), for example after a rename.

    For this entity the file system does not exist: mount error 2.
    """
    system = view.file_system
    for service in ("mon", "mds"):
        caps = caps_of(view, service)
        if caps and system and not sees_file_system(caps, system.name):
            yield Problem(
                f"{view.site.entity}'s {service} caps hide file system {system.name}",
                cluster=shown(view),
                remedy=restore_caps(view),
            )


@check(
    "CAPS_EXCESSIVE",
    "The entity has more caps than a web node needs",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("cluster.entity",),
    scope=Scope.CLUSTER,
    topic=Topic.KEYS,
)
def caps_excessive(view: View) -> Iterator[Problem]:
    """`allow *` anywhere, mon caps beyond r, or mds rights p (set quotas and layouts) and s
    (snapshots).

    A tenant who breaks out of one web node has all of it. Clauses that `fs authorize` appended
    instead of replaced (Ceph 19 and later) are reported too.
    """
    for service, caps in view.entity.caps.items():
        needed = set("r") if service == "mon" else set("rw")
        for clause in clauses(caps):
            extra = (ALL_RIGHTS if clause.rights == "*" else set(clause.rights)) - needed
            if extra:
                what = "everything" if clause.rights == "*" else "".join(sorted(extra))
                yield Problem(
                    f"{view.site.entity}'s {service} caps allow {what}", cluster=shown(view)
                )
                break


@check(
    "KEY_PENDING",
    "The entity has a pending key",
    Layer.AUTH,
    needs=("cluster.entity",),
    scope=Scope.CLUSTER,
    topic=Topic.KEYS,
)
def key_pending(view: View) -> Iterator[Problem]:
    """Ceph 17 and later can keep a second, pending key. The first client that uses it makes it the
    only one.

    Any failed authentication with a wrong key does the same (measured on 18.2 and 20.2). One node
    with an old secret locks out all others. Clear the pending key.
    """
    if view.entity.pending:
        yield Problem(
            (
                f"{view.site.entity} has a pending key: the next login with a wrong key locks "
                "out all nodes"
            ),
            cluster=("auth get shows pending_key",),
            remedy=(here("ceph", "auth", "clear-pending", view.site.entity),),
        )


@check(
    "KEY_TYPE_REFUSED",
    "The cluster does not allow the entity's type of key",
    Layer.AUTH,
    needs=("cluster.entity", "cluster.monmap"),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def key_type_refused(view: View) -> Iterator[Problem]:
    """auth_allowed_ciphers of the monmap (Ceph 19.2.6, 20.2.4 and later) does not include the key's
    type.

    The key is right, and cannot authenticate. Rotate it to an allowed type, or allow the type
    again.
    """
    allowed, key = view.allowed_ciphers, view.key
    if allowed and key and key.type not in allowed:
        yield Problem(
            f"the key is {key.type}, and only {', '.join(allowed)} is allowed",
            cluster=(f"auth_allowed_ciphers {', '.join(allowed)}",),
        )


@check(
    "KEY_TYPE_UNSUPPORTED",
    "The node cannot use the entity's type of key",
    Layer.AUTH,
    needs=("cluster.entity", "host"),
    topic=Topic.KEYS,
    prevents_mount=True,
)
def key_type_unsupported(view: View) -> Iterator[Problem]:
    """aes256k keys need Linux 7.0 (or a kernel with the change backported) and ceph-common 19.2.6
    or 20.2.4.

    Upgrade the node, or give the entity an aes key while the cluster still allows that.
    """
    kernel = view.host.kernel
    if view.key and view.key.type == "aes256k" and version_numbers(kernel) < (7, 0):
        yield Problem(
            f"the key is aes256k, and the kernel is {kernel}",
            node=(f"kernel {kernel}",),
            cluster=("key type aes256k",),
            severity=view.later,
        )


@check(
    "AUTH_REFUSED",
    "The monitors refuse the mount's key",
    Layer.AUTH,
    needs=("clients", "kernel_log"),
    topic=Topic.KEYS,
    remedy=PUSH_AND_REMOUNT,
)
def auth_refused(view: View) -> Iterator[Problem]:
    """The mount uses a key that the cluster no longer knows, and its monitor session broke.

    It tries again every ten seconds and is refused (-13). debugfs looks healthy, but df hangs
    already. At the next MDS failover every path will hang. Remount now with the new key, while the
    MDS and OSD connections work: it takes a second. After a failover only restoring the old key in
    the cluster frees the processes (measured on Linux 6.1).
    """
    event, probe = view.events.get("auth_refused"), view.probe("mon")
    # The log does not say whose attempt it was: a mount through which the monitors answer was not
    # meant.
    if event and view.client and not (probe and probe.status == "ok"):
        age = f"{event.count} times, last {event.age:.0f} s before"
        yield Problem(
            "the kernel client tries to log in and is refused",
            node=(f"kernel log, {age}: {event.text}",),
            cluster=(f"key {view.key.fingerprint if view.key else 'unknown'}",),
        )


@check(
    "TICKETS_REFUSED",
    "Daemons refuse the mount's tickets",
    Layer.AUTH,
    needs=("clients", "kernel_log"),
    remedy=REMOUNT,
)
def tickets_refused(view: View) -> Iterator[Problem]:
    """The key is right, and the MDS or OSDs refuse the tickets made with it.

    The clocks of this node or of the daemons differ, or the service keys were rotated while the
    node was cut off.
    """
    if event := view.events.get("ticket_refused"):
        yield Problem("an MDS or OSD refuses the client's ticket", node=(event.line,))
