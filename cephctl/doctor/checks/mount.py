"""Checks of the mount: does it exist, is it the right one, does it answer."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import PUSH_AND_REMOUNT, REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.remedy import NODE, PATH, here, on_node
from cephctl.results import Severity

MOUNT = here("cephctl", "node", "mount", NODE)


@check(
    "SHADOWED_FILES",
    "Files exist underneath the mount point",
    Layer.SYMPTOM,
    needs=("directory",),
    remedy=(here("cephctl", "node", "mount", NODE, "--set-aside"),),
)
def shadowed_files(view: View) -> Iterator[Problem]:
    """While nothing was mounted, programs wrote into the mount point, on the node's own disk. A
    mount would hide these files.

    Mounting with --set-aside first moves them to PATH.shadowed-DATE on the same disk. Then see
    which of them must be merged.
    """
    found = view.directory
    if found.entries:
        yield Problem(
            f"{view.site.path} is not mounted, and contains {found.entries} entries",
            node=(f"among them: {', '.join(found.first)}",),
        )


@check(
    "NOT_MOUNTED",
    "Nothing is mounted on the path",
    Layer.SYMPTOM,
    needs=("mounts", "unit"),
    remedy=(MOUNT,),
)
def not_mounted(view: View) -> Iterator[Problem]:
    """The directory is an ordinary one: sites show nothing, and writes go to the node's own disk.

    If a deeper cause is named, that one prevents the mount. Otherwise mount it.
    """
    unit = view.unit
    if not view.mounts_here and unit.load_state == "loaded":
        yield Problem(
            f"{view.site.path} is not mounted",
            node=(f"{unit.name}: {unit.active_state} ({unit.result})", *unit.log[-3:]),
        )


@check(
    "MOUNTPOINT_MISSING",
    "The mount point does not exist",
    Layer.LOCAL,
    needs=("directory",),
    remedy=(on_node("mkdir", "-p", PATH), MOUNT),
)
def mountpoint_missing(view: View) -> Iterator[Problem]:
    """The directory does not exist, or is not a directory: mount error 2, with nothing in the
    kernel log.
    """
    found = view.directory
    if not found.mounted and not found.is_directory:
        what = "is not a directory" if found.exists else "does not exist"
        yield Problem(f"{view.site.path} {what}")


@check(
    "MOUNT_STACKED",
    "Several mounts are stacked on the path",
    Layer.LOCAL,
    needs=("mounts",),
    remedy=REMOUNT,
)
def mount_stacked(view: View) -> Iterator[Problem]:
    """Two or more mounts on the same directory: earlier programs use the lower one, later ones the
    upper.

    Each mount is a client of its own. fstab and a unit both mounted it, or it was mounted twice by
    hand. Remounting removes all of them and mounts once.
    """
    if len(view.mounts_here) > 1:
        lines = tuple(f"{each.id}: {each.source} ({each.type})" for each in view.mounts_here)
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
        fuse = "ceph" in top.type
        kind = "ceph-fuse, which cephctl does not diagnose" if fuse else top.type
        yield Problem(
            f"{view.site.path} is {kind}",
            node=(f"{top.source} type {top.type}",),
            severity=Severity.UNKNOWN if fuse else None,
        )


@check(
    "MOUNT_WRONG",
    "Another directory of the file system, or another cluster, is mounted",
    Layer.LOCAL,
    needs=("mounts", "clients", "cluster.monmap"),
    remedy=PUSH_AND_REMOUNT,
)
def mount_wrong(view: View) -> Iterator[Problem]:
    """The mount works, and is not the configured one: another directory (mount.root), file system
    or cluster.

    Tenants see other data or none.
    """
    if not view.mount:
        return
    fsid = view.client.fsid if view.client else None
    if view.mount.path != view.site.root:
        yield Problem(
            f"{view.mount.path} of the file system is mounted, not {view.site.root}",
            node=(f"source {view.mount.source}",),
        )
    elif fsid and fsid != view.fsid:
        yield Problem(
            "the mount belongs to another cluster",
            node=(f"fsid {fsid}",),
            cluster=(f"fsid {view.fsid}",),
        )


@check("MOUNT_READ_ONLY", "The mount is read-only", Layer.LOCAL, needs=("mounts",), remedy=REMOUNT)
def mount_read_only(view: View) -> Iterator[Problem]:
    """Mounted with ro, or remounted so: every write fails with EROFS. If the MDS is read-only, Ceph
    says MDS_READ_ONLY.
    """
    if view.mount and "ro" in (*view.mount.options, *view.mount.super_options):
        yield Problem("mounted read-only", node=(f"options {','.join(view.mount.options)}",))


@check(
    "MOUNT_BY_HAND",
    "The mount differs from its unit",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("mounts", "unit"),
    remedy=REMOUNT,
)
def mount_by_hand(view: View) -> Iterator[Problem]:
    """Source or name differ from the unit's: it was mounted by hand, or the unit was changed
    without remounting.

    The next boot will mount something else. A name that ends in -next belongs to an unfinished key
    rotation.
    """
    if not view.mount or not view.source:
        return
    name = view.mount.name
    wanted = view.unit_option.get("name", name)
    if name != wanted or view.mount.path != view.source_path:
        rotating = name == f"{wanted}-next"
        yield Problem(
            "a key rotation is in progress here, or was interrupted"
            if rotating
            else "the mount differs from its unit",
            remedy=(here("cephctl", "run", "list", changes=False),) if rotating else (),
            node=(
                f"mounted {view.mount.source} name={name}",
                f"{view.unit.name}: What={view.source}, name={wanted}",
            ),
        )


@check(
    "MODULE_MISSING",
    "The kernel cannot mount CephFS",
    Layer.LOCAL,
    needs=("module", "host"),
    prevents_mount=True,
)
def module_missing(view: View) -> Iterator[Problem]:
    """The ceph module is not loaded, and does not exist for the running kernel.

    A kernel upgrade removed the modules of the running kernel, or the package with extra modules is
    missing. Reboot into the installed kernel, or install its modules.
    """
    if not view.module.loaded and not view.module.available:
        kernel = view.host.kernel
        state = "exists" if view.module.folder else "does not exist"
        image = f"linux-image-{kernel}"
        yield Problem(
            f"no ceph module for kernel {kernel}",
            node=(f"/lib/modules/{kernel} {state}",),
            remedy=(on_node("apt-get", "install", "--reinstall", image),),
        )


@check(
    "HELPER_MISSING",
    "mount.ceph is not installed",
    Layer.LOCAL,
    needs=("host",),
    remedy=(on_node("apt-get", "install", "-y", "ceph-common"),),
)
def helper_missing(view: View) -> Iterator[Problem]:
    """Without the helper the kernel gets the options unchanged: it does not know secretfile=, and
    names do not resolve.
    """
    if not view.host.mount_helper:
        yield Problem("/sbin/mount.ceph does not exist", severity=view.later)


@check(
    "KERNEL_TOO_OLD",
    "The kernel lacks a feature that the cluster requires",
    Layer.LOCAL,
    needs=("kernel_log", "host"),
)
def kernel_too_old(view: View) -> Iterator[Problem]:
    """The kernel log says feature set mismatch or missing required protocol features.

    require_min_compat_client, or a feature that the file system requires, is newer than the client.
    Upgrade the kernel, or relax the requirement.
    """
    if event := view.events.get("features_missing"):
        yield Problem(
            "the cluster requires a feature that this kernel lacks",
            node=(f"kernel {view.host.kernel}", event.text),
        )


@check(
    "FS_UNKNOWN",
    "The unit names a file system that does not exist",
    Layer.LOCAL,
    needs=("unit", "cluster.file_systems"),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
)
def fs_unknown(view: View) -> Iterator[Problem]:
    """The cluster has no file system with the name in fs= or mds_namespace=.

    The mount says "no mds server is up", without -13 in the kernel log.
    """
    names = [system.name for system in view.file_systems]
    wanted = view.unit_option.get("fs") or view.unit_option.get("mds_namespace")
    if wanted and wanted not in names:
        yield Problem(
            f"there is no file system {wanted}",
            node=(f"{view.unit.name}: {wanted}",),
            cluster=(f"file systems: {', '.join(names)}",),
            severity=view.later,
        )


@check(
    "UNIT_PATH_DIFFERS",
    "The unit mounts another directory",
    Layer.LOCAL,
    needs=("unit",),
    remedy=PUSH_AND_REMOUNT,
)
def unit_path_differs(view: View) -> Iterator[Problem]:
    """The path in What= is not mount.root of cephctl's configuration; one of the two is wrong.

    If the directory does not exist, or the entity's mds caps exclude it, the mount fails with error
    2. The kernel log then shows an established session and no error.
    """
    if view.source and view.source_path != view.site.root:
        failed = [line for line in view.unit.log if "error 2" in line]
        yield Problem(
            f"the unit mounts {view.source_path}, not {view.site.root}",
            node=(f"{view.unit.name}: What={view.source}", *failed[-1:]),
            severity=view.later,
        )
