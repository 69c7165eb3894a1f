"""Checks of the mount's unit, of fstab, and of the services that depend on the mount."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import PUSH, PUSH_AND_REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View, known
from cephctl.node.systemd import seconds_of
from cephctl.remedy import NODE, UNIT, here, on_node, write_file
from cephctl.results import Severity
from cephctl.units import version_numbers

RELOAD = on_node("systemctl", "daemon-reload")
KERNEL_TIMEOUT = 60
"""Seconds after which the kernel gives up a mount (mount_timeout)."""
NETDEV_SINCE = 244
"""The systemd release that knows ceph as a network file system."""


@check(
    "UNIT_MISSING",
    "There is no mount unit for the path",
    Layer.LOCAL,
    needs=("unit",),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
    blocks_rotation=True,
)
def unit_missing(view: View) -> Iterator[Problem]:
    """Neither a unit file nor fstab mounts the path: it will not be mounted after a reboot."""
    unit = view.unit
    if unit.load_state == "not-found" or (unit.load_state == "loaded" and not unit.fragment_path):
        yield Problem(f"there is no {unit.name}", severity=view.later)


@check(
    "UNIT_INVALID",
    "systemd refuses the unit",
    Layer.LOCAL,
    needs=("unit",),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
    blocks_rotation=True,
)
def unit_invalid(view: View) -> Iterator[Problem]:
    """bad-setting, masked or error: the file exists and cannot be used. `systemctl status` shows
    the line.
    """
    unit = view.unit
    if unit.load_state in ("bad-setting", "masked", "error"):
        unmask = (on_node("systemctl", "unmask", UNIT),) if unit.load_state == "masked" else ()
        yield Problem(
            f"{unit.name} is {unit.load_state}",
            node=(unit.fragment_path,),
            remedy=(*unmask, *PUSH_AND_REMOUNT),
        )


@check(
    "UNIT_MISNAMED",
    "A unit for the path has the wrong name",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit",),
    remedy=PUSH_AND_REMOUNT,
)
def unit_misnamed(view: View) -> Iterator[Problem]:
    """Systemd requires a mount unit's name to be its Where=, escaped (systemd-escape -p
    --suffix=mount PATH).

    A unit with another name is never loaded.
    """
    for path in view.unit.misnamed:
        yield Problem(
            f"{path} is for {view.site.path} and should be {view.unit.name}",
            node=(f"Where={view.site.path}",),
        )


@check(
    "UNIT_DISABLED",
    "The unit does not start at boot",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit",),
    remedy=(on_node("systemctl", "enable", UNIT),),
)
def unit_disabled(view: View) -> Iterator[Problem]:
    """Not enabled, or without [Install] WantedBy=: it works until the next reboot."""
    if view.unit.file_state in ("disabled", "static", "indirect") and view.unit.file:
        yield Problem(f"{view.unit.name} is {view.unit.file_state}")


@check(
    "UNIT_TIMEOUT_SHORT",
    "systemd kills mount.ceph before the kernel reports an error",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit",),
    remedy=PUSH,
)
def unit_timeout_short(view: View) -> Iterator[Problem]:
    """The kernel tries for 60 s (mount_timeout). With a shorter TimeoutSec systemd kills mount.ceph
    without a reason.

    The process can be left behind. Set 90 s or more. The usual trigger is a monitor that does not
    answer.
    """
    unit, seconds = view.unit, seconds_of(view.unit.timeout)
    if unit.file and seconds is not None and seconds <= KERNEL_TIMEOUT:
        yield Problem(
            f"{unit.name} has a timeout of {seconds:.0f} s",
            node=(f"Result={unit.result}",),
            severity=Severity.ERR if unit.result == "timeout" else None,
        )


@check(
    "UNIT_FAILED",
    "The unit failed",
    Layer.SYMPTOM,
    needs=("unit", "mounts"),
    remedy=(here("cephctl", "node", "mount", NODE),),
)
def unit_failed(view: View) -> Iterator[Problem]:
    """The last attempt to mount failed (or hit the start limit), and systemd does not retry: mount
    units have no Restart=.

    If a deeper cause is named, fix that first; then mount.
    """
    unit = view.unit
    if unit.active_state == "failed" and not view.is_mounted:
        yield Problem(f"{unit.name} failed: {unit.result}", node=unit.log[-4:])


@check(
    "UNIT_CHANGED",
    "The unit file changed on disk; daemon-reload needed",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit",),
    remedy=(RELOAD,),
)
def unit_changed(view: View) -> Iterator[Problem]:
    """Until a daemon-reload systemd uses the former version: the next mount will not be what the
    file says.
    """
    if view.unit.need_reload == "yes":
        yield Problem(f"{view.unit.name} changed on disk")


@check(
    "UNIT_BOOT_ORDER",
    "The unit is not ordered after network-online.target",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit", "host"),
    remedy=PUSH,
)
def unit_boot_order(view: View) -> Iterator[Problem]:
    """Without After=network-online.target the mount fails at boot and works by hand.

    systemd adds it for _netdev, and from 244 on for type ceph.
    """
    unit, after = view.unit, view.unit.after.split()
    systemd = version_numbers(view.host.systemd or "")[0]
    if unit.file and not {"network-online.target", "remote-fs-pre.target"} & set(after):
        yield Problem(f"{unit.name} is not ordered after the network")
    elif unit.file and systemd < NETDEV_SINCE and "_netdev" not in view.unit_options:
        yield Problem(
            f"{unit.name} has no _netdev, and systemd {systemd} does not know ceph as a "
            "network file system"
        )


@check(
    "FSTAB_DUPLICATE",
    "fstab mounts the path too",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("fstab", "unit"),
    blocks_rotation=True,
)
def fstab_duplicate(view: View) -> Iterator[Problem]:
    """Two lines for one path, or a line in addition to the unit: mount -a and systemd mount twice,
    one over the other.

    Keep one.
    """
    path = view.site.path
    entries = known(view.node.facts.fstab, ())
    lines = [entry for entry in entries if entry.target.rstrip("/") == path]
    own = "/etc/systemd/" in view.unit.fragment_path
    surplus = lines if own else lines[1:]
    if surplus:
        numbers = "".join(f"{entry.line}d;" for entry in surplus)
        plural, beside = "s" if len(lines) > 1 else "", " in addition to the unit" if own else ""
        yield Problem(
            f"/etc/fstab has {len(lines)} line{plural} for {path}{beside}",
            node=tuple(f"line {each.line}: {each.source} {each.type}" for each in lines),
            remedy=(on_node("sed", "-i", numbers, "/etc/fstab"), RELOAD),
        )


@check(
    "AUTOMOUNT_ACTIVE",
    "An automount unit is active for the path",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit",),
)
def automount_active(view: View) -> Iterator[Problem]:
    """x-systemd.automount: the first access mounts, and a failed mount blocks the process that
    accessed it.

    cephctl does not access the path and will not trigger it.
    """
    if view.unit.automount:
        yield Problem(f"an automount unit is active for {view.site.path}")


@check(
    "DEPENDENT_UNORDERED",
    "A dependent service is not ordered after the mount",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("dependents",),
)
def dependent_unordered(view: View) -> Iterator[Problem]:
    """Requires= or Wants= without After= starts both at the same time: the service writes into the
    unmounted mount point.

    With Requires= and After=, `systemctl stop` of the mount stops the service, and starting the
    mount does not start it again. A umount by hand stops nothing. cephctl node remount starts again
    what it stopped.
    """
    for service in known(view.node.facts.dependents, ()):
        if "After" not in service.dependencies:
            drop_in = f"/etc/systemd/system/{service.unit}.d/after-storage.conf"
            yield Problem(
                f"{service.unit} has no After={view.unit.name}",
                node=(f"dependencies: {', '.join(service.dependencies)}",),
                remedy=(*write_file(drop_in, "[Unit]", f"After={view.unit.name}"), RELOAD),
            )


@check(
    "DEPENDENT_DOWN",
    "A dependent service is not running",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("dependents", "mounts"),
)
def dependent_down(view: View) -> Iterator[Problem]:
    """It was stopped with the mount, or failed without it, and was not started again."""
    down = [
        each.unit
        for each in known(view.node.facts.dependents, ())
        if each.state in ("inactive", "failed") and each.type != "oneshot"
    ]
    if view.is_mounted and down:
        yield Problem(
            f"not running: {', '.join(down)}", remedy=(on_node("systemctl", "start", *down),)
        )
