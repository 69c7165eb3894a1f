"""Checks of the mount: is it there, is it the right one, does it answer."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import PUSH, REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

MOUNT = "cephctl node mount {node}"


@check(
    "SHADOWED_FILES",
    "Files were written below the mount point",
    Layer.SYMPTOM,
    needs=("directory",),
    remedy="cephctl node mount {node} --set-aside",
)
def shadowed_files(view: View) -> Iterator[Problem]:
    """While nothing was mounted, programs wrote into the bare directory: the data is on the node's own disk, and a mount would hide
    it. Mounting with --set-aside moves it to PATH.shadowed-DATE on the same disk first; then look what of it must be merged.
    """
    found = view.section("directory")
    if found.get("entries"):
        yield Problem(
            f"{view.site.path} is not mounted, and {found['entries']} entries lie in the bare directory",
            node=(f"among them: {', '.join(found['first'])}",),
        )


@check(
    "NOT_MOUNTED",
    "Nothing is mounted on the path",
    Layer.SYMPTOM,
    needs=("mounts", "unit"),
    remedy=MOUNT,
)
def not_mounted(view: View) -> Iterator[Problem]:
    """The directory is there and is an ordinary one: sites show nothing, and what is written goes to the node's own disk. If a
    deeper cause is named, that one keeps it from being mounted; else mount it.
    """
    if not view.mounts_here and view.unit.get("LoadState") == "loaded":
        unit = view.unit
        yield Problem(
            f"{view.site.path} is not mounted",
            node=(
                f"{view.unit_name}: {unit.get('ActiveState')} ({unit.get('Result')})",
                *view.unit_text.splitlines()[-3:],
            ),
        )


@check(
    "MOUNTPOINT_MISSING",
    "The mount point is not there",
    Layer.LOCAL,
    needs=("directory",),
    remedy="{ssh} sudo mkdir -p {path} && cephctl node mount {node}",
)
def mountpoint_missing(view: View) -> Iterator[Problem]:
    """The directory does not exist, or is no directory: mount error 2, with nothing in the kernel log."""
    found = view.section("directory")
    if found.get("mounted") is False and not found["is_directory"]:
        yield Problem(
            f"{view.site.path} {'is no directory' if found['exists'] else 'does not exist'}"
        )


@check(
    "MOUNT_STACKED",
    "Several mounts lie on one path",
    Layer.LOCAL,
    needs=("mounts",),
    remedy=REMOUNT,
)
def mount_stacked(view: View) -> Iterator[Problem]:
    """Two or more mounts on the same directory: programs started earlier use the lower one, later ones the upper, each a client of
    its own. fstab and a unit both, or two mounts by hand. Remounting takes all of them away and mounts once.
    """
    if len(view.mounts_here) > 1:
        lines = tuple(
            f"{each['id']}: {each['source']} ({each['type']})" for each in view.mounts_here
        )
        yield Problem(f"{len(lines)} mounts on {view.site.path}", node=lines)


@check(
    "MOUNT_FOREIGN",
    "Something that is not CephFS is mounted on the path",
    Layer.LOCAL,
    needs=("mounts",),
    remedy=REMOUNT,
)
def mount_foreign(view: View) -> Iterator[Problem]:
    """Another kind of file system (tmpfs, NFS, a bind mount) is on top."""
    if view.mounts_here and not view.is_mounted:
        top = view.mounts_here[-1]
        kind = (
            "ceph-fuse, which cephctl does not diagnose" if "ceph" in top["type"] else top["type"]
        )
        yield Problem(
            f"{view.site.path} is {kind}",
            node=(f"{top['source']} type {top['type']}",),
            severity=Severity.UNKNOWN if "ceph" in top["type"] else None,
        )


@check(
    "MOUNT_WRONG",
    "Another part of the file system, or another cluster, is mounted",
    Layer.LOCAL,
    needs=("mounts", "clients", "cluster.monmap"),
    remedy=PUSH,
)
def mount_wrong(view: View) -> Iterator[Problem]:
    """The mount is healthy and not the one that the inventory promises: other directory (mount.root), other file system, other
    cluster. Tenants see other data or none.
    """
    if not view.is_mounted:
        return
    _, _, path = view.mount["source"].rpartition(":/")
    found = "/" + path.strip("/")
    fsid = view.client["fsid"] if view.client else None
    if found != view.site.root:
        yield Problem(
            f"{found} of the file system is mounted, not {view.site.root}",
            node=(f"source {view.mount['source']}",),
        )
    elif fsid and fsid != view.known("monmap").get("fsid"):
        yield Problem(
            "the mount is of another cluster",
            node=(f"fsid {fsid}",),
            cluster=(f"fsid {view.known('monmap').get('fsid')}",),
        )


@check("MOUNT_READ_ONLY", "The mount is read-only", Layer.LOCAL, needs=("mounts",), remedy=REMOUNT)
def mount_read_only(view: View) -> Iterator[Problem]:
    """Mounted with ro, or remounted so: every write fails with EROFS. If the MDS is read-only, Ceph says MDS_READ_ONLY."""
    if view.mount and "ro" in (*view.mount["options"], *view.mount["super_options"]):
        yield Problem("mounted read-only", node=(f"options {','.join(view.mount['options'])}",))


@check(
    "MOUNT_BY_HAND",
    "The mount is not what its unit says",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("mounts", "unit"),
    remedy=REMOUNT,
)
def mount_by_hand(view: View) -> Iterator[Problem]:
    """Source or name differ from the unit's: somebody mounted by hand, or changed the unit without remounting. The next boot
    brings something else than what runs now. A name that ends in -next is a key rotation's that has not come to its end.
    """
    if not view.is_mounted or not view.source:
        return
    name = next(
        (
            word.partition("=")[2]
            for word in view.mount["super_options"]
            if word.startswith("name=")
        ),
        "",
    )
    wanted = view.unit_option.get("name", name)
    told = view.source.rpartition(":/")[2].strip("/")
    if name != wanted or view.mount["source"].rpartition(":/")[2].strip("/") != told:
        rotating = name == f"{wanted}-next"
        yield Problem(
            "a key rotation is under way here, or was broken off"
            if rotating
            else "the mount is not the unit's",
            remedy="cephctl run list" if rotating else None,
            node=(
                f"mounted {view.mount['source']} name={name}",
                f"{view.unit_name}: What={view.source}, name={wanted}",
            ),
        )


@check("MODULE_MISSING", "The kernel cannot mount CephFS", Layer.LOCAL, needs=("module", "host"))
def module_missing(view: View) -> Iterator[Problem]:
    """Neither is the ceph module loaded, nor is it there for the running kernel: a kernel upgrade removed the modules of the running
    one, or the package with extra modules is missing. Reboot into the installed kernel, or install its modules.
    """
    module = view.section("module")
    if not module["loaded"] and not module["available"]:
        kernel = view.section("host")["kernel"]
        yield Problem(
            f"no ceph module for kernel {kernel}",
            node=(f"/lib/modules/{kernel} {'is there' if module['folder'] else 'is gone'}",),
            remedy=f"{view.site.ssh(view.node.name)} sudo apt-get install --reinstall linux-image-{kernel}",
        )


@check(
    "HELPER_MISSING",
    "mount.ceph is not installed",
    Layer.LOCAL,
    needs=("host",),
    remedy="{ssh} sudo apt-get install -y ceph-common",
)
def helper_missing(view: View) -> Iterator[Problem]:
    """Without the helper the kernel gets the options as they stand: secretfile= means nothing to it, and names do not resolve."""
    if not view.section("host")["mount_helper"]:
        yield Problem("there is no /sbin/mount.ceph", severity=view.later)


@check(
    "KERNEL_TOO_OLD",
    "The kernel lacks a feature that the cluster requires",
    Layer.LOCAL,
    needs=("kernel_log", "host"),
)
def kernel_too_old(view: View) -> Iterator[Problem]:
    """The kernel log says feature set mismatch or missing required protocol features: require_min_compat_client or a feature the
    file system requires is newer than the client. Upgrade the kernel, or relax what is required.
    """
    if event := view.events.get("features_missing"):
        yield Problem(
            "the cluster requires a feature that this kernel lacks",
            node=(f"kernel {view.section('host')['kernel']}", event.text),
        )


@check(
    "FS_UNKNOWN",
    "The unit names a file system that is not there",
    Layer.LOCAL,
    needs=("unit", "cluster.file_systems"),
    remedy=PUSH,
)
def fs_unknown(view: View) -> Iterator[Problem]:
    """fs= or mds_namespace= in the options is no file system of the cluster. The mount says "no mds server is up", without -13 in
    the kernel log.
    """
    names = [system["name"] for system in view.known("file_systems")]
    told = view.unit_option.get("fs") or view.unit_option.get("mds_namespace")
    if told and told not in names:
        yield Problem(
            f"there is no file system {told}",
            node=(f"{view.unit_name}: {told}",),
            cluster=(f"file systems: {', '.join(names)}",),
            severity=view.later,
        )


@check(
    "FS_PATH_MISSING",
    "The directory to be mounted is not in the file system",
    Layer.LOCAL,
    needs=("unit",),
    remedy=PUSH,
)
def fs_path_missing(view: View) -> Iterator[Problem]:
    """The path in What= is not there, or the entity's mds caps do not reach it: mount error 2, and the kernel log shows an
    established session and no complaint.
    """
    if view.source and view.source_path != view.site.root:
        yield Problem(
            f"the unit mounts {view.source_path}, not {view.site.root}",
            node=(
                f"{view.unit_name}: What={view.source}",
                *[line for line in view.unit_text.splitlines() if "error 2" in line][-1:],
            ),
            severity=view.later,
        )


@check("PROBE_MON_HANGS", "statfs hangs: the way to the monitors", Layer.SYMPTOM, needs=("mounts",))
def probe_mon_hangs(view: View) -> Iterator[Problem]:
    """df, and every monitoring agent that calls statfs, hangs, while files are read and written as always: the client has no
    monitor. Either the monitors or the way to them are down, or they refuse its key.
    """
    yield from hanging(view, "mon", "statfs")


@check(
    "PROBE_MDS_HANGS",
    "A forced getattr hangs: the way to the MDS",
    Layer.SYMPTOM,
    needs=("mounts",),
)
def probe_mds_hangs(view: View) -> Iterator[Problem]:
    """ls, open and stat hang, though what is cached still answers: the MDS does not. If no cause is named, it is slow: look at
    `ceph health detail` (MDS_SLOW_REQUEST) and at what it waits for (`ceph tell mds.NAME dump_blocked_ops`).
    """
    yield from hanging(view, "mds", "getattr")


@check(
    "PROBE_OSD_HANGS", "A direct read hangs: the way to the OSDs", Layer.SYMPTOM, needs=("mounts",)
)
def probe_osd_hangs(view: View) -> Iterator[Problem]:
    """Ls works and reading hangs: an OSD or a placement group is not active. Processes may sit in an uninterruptible sleep, which
    only the cluster can end.
    """
    if view.probe("osd").get("reached"):
        yield from hanging(view, "osd", "O_DIRECT read")


def hanging(view: View, name: str, what: str) -> Iterator[Problem]:
    probe = view.probe(name)
    if view.probe_hangs(name):
        if probe["status"] == "busy":
            line = f"the {what} of an earlier probe still hangs (pid {probe['pid']})"
        else:
            line = f"{what} hung for {probe['seconds']:.0f} s (state {probe['state']}, in {probe['wchan']})"
        waiting = (
            (view.client or {}).get("requests_later") or (view.client or {}).get("requests") or {}
        )
        lines = [text for text in waiting.get(name, ()) if not text.startswith("REQUESTS 0")]
        yield Problem(line, node=tuple(f"waits: {text}" for text in lines[:3]))


@check(
    "PROBE_FAILS",
    "The mount answers with an error",
    Layer.SYMPTOM,
    needs=("mounts",),
    remedy=REMOUNT,
)
def probe_fails(view: View) -> Iterator[Problem]:
    """EACCES: the client was rejected, or the caps do not suffice. EIO: it is shut down. EPERM on the OSD probe: the osd caps do not
    reach the data pool. ESTALE: what is mounted changed while it was asked.
    """
    for name in ("mon", "mds", "osd"):
        probe = view.probe(name)
        if probe.get("status") == "error" and not (name == "osd" and probe["error"] == "ENOENT"):
            yield Problem(
                f"{name} probe: {probe['error']}",
                node=(f"{name} probe after {probe.get('seconds', 0):.1f} s: {probe['error']}",),
            )


@check(
    "SENTINEL_MISSING",
    "There is no file to read for the OSD probe",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("mounts",),
    remedy="cephctl node probe --make-sentinel",
)
def sentinel_missing(view: View) -> Iterator[Problem]:
    """The way to the OSDs is probed by reading a file that is there (mount.sentinel); cephctl creates none by itself."""
    if view.probe("osd").get("error") == "ENOENT":
        yield Problem(
            f"{view.site.path}/{view.site.sentinel} does not exist: the OSDs were not probed"
        )


@check(
    "PROCESSES_HUNG",
    "Processes sleep in the Ceph client and cannot be killed",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("sleepers",),
)
def processes_hung(view: View) -> Iterator[Problem]:
    """They wait for the cluster; load climbs, and restarting their services piles up more of them. Mend the cause, then they go on
    or die. Never restart php-fpm in a loop meanwhile.
    """
    found = [
        each for each in view.section("sleepers") or [] if not each["command"].startswith("python3")
    ]
    # One look at a busy process says nothing: only where a probe hangs too, or the kernel has seen it for two minutes.
    stuck = (
        any(view.probe_hangs(name) for name in ("mon", "mds", "osd")) or "hung_task" in view.events
    )
    if found and stuck:
        yield Problem(
            f"{len(found)} process{'es' if len(found) > 1 else ''} in an uninterruptible sleep inside the Ceph client",
            node=tuple(
                f"{each['command']} ({each['pid']}) of {each['unit']}: {' < '.join(each['stack'][:3])}"
                for each in found[:5]
            ),
        )
