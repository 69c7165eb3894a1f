"""Checks of the entity, its caps, and what the monitors say to its key."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.cephx import caps_command, web_caps
from cephctl.doctor.caps import clauses, excludes, reaches_pool, sees_file_system
from cephctl.doctor.check import PUSH, REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

ENTITY = "cluster.entity"


def wanted_caps(view: View) -> dict[str, str]:
    """The caps that a web node needs: no more, and never fewer services than this."""
    return web_caps((view.file_system or {"name": "cephfs"})["name"], view.site.root)


def restore_caps(view: View) -> str:
    """All services at once: `auth caps` deletes what it does not name. A session keeps its caps, so it needs a new one."""
    return f"{caps_command('caps', view.site.entity, wanted_caps(view))} && {REMOUNT}"


def shown(view: View) -> tuple[str, ...]:
    caps = view.known("entity").get("caps") or {}
    return tuple(f"{service} '{cap}'" for service, cap in caps.items()) or ("no caps",)


def caps_of(view: View, service: str) -> str | None:
    """None where the entity is not there at all: that is another check's."""
    entity = view.known("entity")
    return str(entity.get("caps", {}).get(service, "")) if entity.get("exists") else None


@check("ENTITY_MISSING", "The entity does not exist in the cluster", Layer.AUTH, needs=(ENTITY,))
def entity_missing(view: View) -> Iterator[Problem]:
    """Somebody deleted it, or the cluster was built anew. A mount that is up goes on until its monitor session breaks, then hangs;
    new mounts fail with the text "no mds server is up". Create it again (a new key), then push the key to every node.
    """
    if view.known("entity").get("exists") is False:
        create = caps_command("get-or-create", view.site.entity, wanted_caps(view))
        yield Problem(
            f"{view.site.entity} does not exist",
            cluster=(f"auth get {view.site.entity}: ENOENT",),
            remedy=f"{create} -o /dev/null && {PUSH}",
        )


@check("CAPS_NO_MON", "The entity has no mon caps", Layer.AUTH, needs=(ENTITY,))
def caps_no_mon(view: View) -> Iterator[Problem]:
    """`ceph auth caps ENTITY mds '…'` silently deletes every service it does not name; mon is the first to be missed. Live mounts
    notice at their next authentication, new ones fail with "no mds server is up" and -13 in the kernel log. Restore all services.
    """
    if caps_of(view, "mon") == "":
        yield Problem(
            f"{view.site.entity} has no mon caps", cluster=shown(view), remedy=restore_caps(view)
        )


@check("CAPS_NO_MDS", "The entity has no mds caps", Layer.AUTH, needs=(ENTITY,))
def caps_no_mds(view: View) -> Iterator[Problem]:
    """Without mds caps that allow at least rw the MDS refuses the session or every change. A session keeps the caps it was opened
    with: after the caps are restored the node must be remounted.
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
    needs=(ENTITY, "cluster.file_systems", "cluster.osdmap"),
)
def caps_no_osd(view: View) -> Iterator[Problem]:
    """Ls works, cat and write fail with EPERM: the osd caps do not reach the data pool. A pool was added, or the caps name another
    one. `allow rw tag cephfs data=NAME` follows the file system's pools by itself.
    """
    caps, system = caps_of(view, "osd"), view.file_system
    if caps is None or not system:
        return
    names = {pool["id"]: pool["name"] for pool in view.known("osdmap")["pools"]}
    missing = [names.get(pool, str(pool)) for pool in system["data_pools"]]
    missing = [name for name in missing if not reaches_pool(caps, name, system["name"])]
    if missing:
        first = names.get(system["data_pools"][0]) in missing
        yield Problem(
            f"{view.site.entity} may not read and write data pool {', '.join(missing)}",
            cluster=shown(view),
            remedy=restore_caps(view),
            severity=None if first else Severity.WARN,
        )


@check(
    "CAPS_NETWORK",
    "The entity's caps exclude the node's network",
    Layer.AUTH,
    needs=(ENTITY, "host"),
)
def caps_network(view: View) -> Iterator[Problem]:
    """The caps end in `network A.B.C.D/N`, and none of the node's addresses is in it: authentication fails from here and works
    elsewhere, with the same -13 as a wrong key.
    """
    for service, caps in (view.known("entity").get("caps") or {}).items():
        if limits := excludes(caps, view.section("host")["addresses"]):
            yield Problem(
                f"{view.site.entity}'s {service} caps are for {limits} only",
                node=(
                    f"addresses {', '.join(a for a in view.section('host')['addresses'] if ':' not in a)}",
                ),
                cluster=shown(view),
                remedy=restore_caps(view),
            )


@check(
    "CAPS_FSNAME",
    "The entity's caps hide the file system",
    Layer.AUTH,
    needs=(ENTITY, "cluster.file_systems"),
)
def caps_fsname(view: View) -> Iterator[Problem]:
    """The caps are restricted to another file system (`fsname=`), as they are after a rename. For this entity the file system does
    not exist: mount error 2.
    """
    system = view.file_system
    for service in ("mon", "mds"):
        caps = caps_of(view, service)
        if caps and system and not sees_file_system(caps, system["name"]):
            yield Problem(
                f"{view.site.entity}'s {service} caps hide file system {system['name']}",
                cluster=shown(view),
                remedy=restore_caps(view),
            )


@check(
    "CAPS_EXCESSIVE",
    "The entity may do more than a web node needs",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=(ENTITY,),
    wide=True,
)
def caps_excessive(view: View) -> Iterator[Problem]:
    """`allow *` anywhere, mon caps beyond r, or mds rights p (set quotas and layouts) and s (snapshots). A tenant who breaks out of
    one web node has all of it. Clauses that `fs authorize` appended instead of replaced (Ceph 19 and later) show here too.
    """
    for service, caps in (view.known("entity").get("caps") or {}).items():
        for clause in clauses(caps):
            extra = (
                set("abcdefghijklmnopqrstuvwxyz")
                if clause.rights == "*"
                else set(clause.rights) - (set("r") if service == "mon" else set("rw"))
            )
            if extra:
                what = "everything" if clause.rights == "*" else "".join(sorted(extra))
                yield Problem(
                    f"{view.site.entity}'s {service} caps allow {what}", cluster=shown(view)
                )
                break


@check(
    "KEY_PENDING", "A pending key waits on a shared entity", Layer.AUTH, needs=(ENTITY,), wide=True
)
def key_pending(view: View) -> Iterator[Problem]:
    """Ceph 17 and later can hold a second, pending key. The first client that uses it makes it the only one, and so does any failed
    authentication with a wrong key (measured on 18.2 and 20.2): one node with a stale secret locks out all the others. Clear it.
    """
    if view.known("entity").get("pending"):
        yield Problem(
            f"{view.site.entity} has a pending key: the next wrong key from anybody locks the fleet out",
            cluster=("auth get shows pending_key",),
            remedy=f"ceph auth clear-pending {view.site.entity}",
        )


@check(
    "KEY_TYPE_REFUSED",
    "The cluster does not allow the entity's type of key",
    Layer.AUTH,
    needs=(ENTITY, "cluster.monmap"),
)
def key_type_refused(view: View) -> Iterator[Problem]:
    """auth_allowed_ciphers of the monmap (Ceph 19.2.6, 20.2.4 and later) lacks the key's type: it cannot authenticate although it
    is right. Rotate the key to an allowed type, or allow the type again.
    """
    allowed, kind = view.known("monmap").get("allowed_ciphers"), view.key.get("type")
    words = [
        str(each.get("name", each) if isinstance(each, dict) else each) for each in allowed or ()
    ]
    if words and kind and kind not in words:
        yield Problem(
            f"the key is {kind}, and only {', '.join(words)} is allowed",
            cluster=(f"auth_allowed_ciphers {', '.join(words)}",),
        )


@check(
    "KEY_TYPE_UNSUPPORTED",
    "The node cannot use the entity's type of key",
    Layer.AUTH,
    needs=(ENTITY, "host"),
)
def key_type_unsupported(view: View) -> Iterator[Problem]:
    """aes256k keys need Linux 7.0 (or a kernel with the change backported) and ceph-common 19.2.6 or 20.2.4. Upgrade, or give the
    entity an aes key while the cluster still allows that.
    """
    kernel = view.section("host")["kernel"]
    if view.key.get("type") == "aes256k" and version(kernel) < (7, 0):
        yield Problem(
            f"the key is aes256k, and the kernel is {kernel}",
            node=(f"kernel {kernel}",),
            cluster=("key type aes256k",),
            severity=view.later,
        )


def version(text: str) -> tuple[int, int]:
    """The first two numbers of a version.

    >>> version("6.1.0-56-amd64")
    (6, 1)
    """
    numbers = [int("".join(c for c in word if c.isdigit()) or 0) for word in text.split(".")[:2]]
    return (numbers[0], numbers[1] if len(numbers) > 1 else 0)


@check(
    "AUTH_REFUSED",
    "The monitors refuse the mount's key",
    Layer.AUTH,
    needs=("clients", "kernel_log"),
)
def auth_refused(view: View) -> Iterator[Problem]:
    """The mount is up with a key that the cluster no longer knows, and its monitor session broke: it tries again every ten seconds
    and is refused (-13). debugfs looks healthy, df hangs already, and at the next MDS failover every path will. Remount now with
    the new key, while MDS and OSD connections still live: it takes a second. After a failover only putting the old key back into
    the cluster frees the processes (measured on Linux 6.1).
    """
    event = view.events.get("auth_refused")
    # The log does not say whose attempt it was: a mount through which the monitors answer was not meant.
    if event and view.client and view.probe("mon").get("status") != "ok":
        yield Problem(
            "the kernel client tries to log in and is refused",
            node=(f"kernel log, {event.count} times, last {event.age:.0f} s before: {event.text}",),
            cluster=(f"key {view.key.get('fingerprint', 'unknown')}",),
            remedy=PUSH,
        )


@check(
    "TICKETS_REFUSED",
    "Daemons refuse the mount's tickets",
    Layer.AUTH,
    needs=("clients", "kernel_log"),
    remedy=REMOUNT,
)
def tickets_refused(view: View) -> Iterator[Problem]:
    """The key is right and the MDS or OSDs refuse the tickets made with it: the clocks of this node or of the daemons differ, or the
    service keys were rotated while it was cut off.
    """
    event = view.events.get("ticket_refused")
    if event:
        yield Problem(
            "an MDS or OSD refuses the client's ticket", node=(f"kernel log: {event.text}",)
        )
