"""Checks of the mount's unit, of fstab, and of the services that stand on the mount."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cephctl.doctor.check import PUSH, Layer, Problem, check
from cephctl.doctor.checks.auth import version
from cephctl.doctor.view import View
from cephctl.results import Severity

NEEDS = ("unit",)
PUSH_UNIT = "cephctl node push {node}"
KERNEL_TIMEOUT = 60
"""Seconds after which the kernel gives up a mount (mount_timeout)."""
# Option → the Linux version that knows it first.
OPTION_SINCE = {
    "recover_session": (5, 4),
    "wsync": (5, 7),
    "nowsync": (5, 7),
    "ms_mode": (5, 11),
    "mon_addr": (5, 17),
}


@check("UNIT_MISSING", "There is no mount unit for the path", Layer.LOCAL, needs=NEEDS, remedy=PUSH)
def unit_missing(view: View) -> Iterator[Problem]:
    """Neither a unit file nor fstab mounts the path: it does not come back after a reboot."""
    if view.unit.get("LoadState") == "not-found" or (
        view.unit.get("LoadState") == "loaded" and not view.unit.get("FragmentPath")
    ):
        yield Problem(f"there is no {view.unit_name}", severity=view.later)


@check("UNIT_INVALID", "systemd refuses the unit", Layer.LOCAL, needs=NEEDS, remedy=PUSH)
def unit_invalid(view: View) -> Iterator[Problem]:
    """bad-setting, masked or error: the file is there and cannot be used. `systemctl status` says which line."""
    state = view.unit.get("LoadState")
    if state in ("bad-setting", "masked", "error"):
        unmask = (
            f"{view.site.ssh(view.node.name)} sudo systemctl unmask {view.unit_name} && "
            if state == "masked"
            else ""
        )
        yield Problem(
            f"{view.unit_name} is {state}",
            node=(str(view.unit.get("FragmentPath")),),
            remedy=unmask + PUSH,
        )


@check(
    "UNIT_MISNAMED",
    "A unit for the path has the wrong name",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=NEEDS,
    remedy=PUSH,
)
def unit_misnamed(view: View) -> Iterator[Problem]:
    """Systemd wants a mount unit's name to be its Where=, escaped (systemd-escape -p --suffix=mount PATH); one with another name is
    never loaded.
    """
    for path in view.unit.get("misnamed") or ():
        yield Problem(
            f"{path} is for {view.site.path} and should be {view.unit_name}",
            node=(f"Where={view.site.path}",),
        )


@check(
    "UNIT_DISABLED",
    "The unit does not start at boot",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=NEEDS,
    remedy="{ssh} sudo systemctl enable {unit}",
)
def unit_disabled(view: View) -> Iterator[Problem]:
    """Not enabled, or without [Install] WantedBy=: fine until the next reboot."""
    if view.unit.get("UnitFileState") in ("disabled", "static", "indirect") and view.unit_file:
        yield Problem(f"{view.unit_name} is {view.unit['UnitFileState']}")


@check(
    "UNIT_TIMEOUT_SHORT",
    "systemd kills mount.ceph before the kernel gives its verdict",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=NEEDS,
    remedy=PUSH_UNIT,
)
def unit_timeout_short(view: View) -> Iterator[Problem]:
    """The kernel tries for 60 s (mount_timeout); with a shorter TimeoutSec systemd ends mount.ceph with no word of why, and
    leaves the process behind. 90 s or more. What sets it off: a monitor that does not answer.
    """
    seconds = span(str(view.unit.get("TimeoutUSec", "")))
    if view.unit_file and seconds is not None and seconds <= KERNEL_TIMEOUT:
        failed = view.unit.get("Result") == "timeout"
        yield Problem(
            f"{view.unit_name} has a timeout of {seconds:.0f} s",
            node=(f"Result={view.unit.get('Result')}",),
            severity=Severity.ERR if failed else None,
        )


def span(text: str) -> float | None:
    """Systemd's time span in seconds; None for infinity.

    >>> span("1min 30s"), span("30s"), span("infinity"), span("500ms")
    (90.0, 30.0, None, 0.5)
    """
    units = {"h": 3600, "min": 60, "s": 1, "ms": 0.001, "us": 0.000001}
    found = re.findall(r"([\d.]+)(h|min|ms|us|s)\b", text)
    return sum(float(number) * units[unit] for number, unit in found) if found else None


@check(
    "UNIT_FAILED",
    "The unit failed",
    Layer.SYMPTOM,
    needs=(*NEEDS, "mounts"),
    remedy="cephctl node mount {node}",
)
def unit_failed(view: View) -> Iterator[Problem]:
    """The last attempt to mount failed (or hit the start limit) and nobody tries again: mount units have no Restart=. If a deeper
    cause is named, mend that first; then mount.
    """
    if view.unit.get("ActiveState") == "failed" and not view.is_mounted:
        yield Problem(
            f"{view.unit_name} failed: {view.unit.get('Result')}",
            node=tuple(view.unit_text.splitlines()[-4:]),
        )


@check(
    "UNIT_CHANGED",
    "The unit file was changed without a reload",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=NEEDS,
    remedy="{ssh} sudo systemctl daemon-reload",
)
def unit_changed(view: View) -> Iterator[Problem]:
    """Until a daemon-reload systemd works with the former version: what is mounted next is not what the file says."""
    if view.unit.get("NeedDaemonReload") == "yes":
        yield Problem(f"{view.unit_name} was changed on disk")


@check(
    "UNIT_BOOT_ORDER",
    "The unit does not wait for the network",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=(*NEEDS, "host"),
    remedy=PUSH_UNIT,
)
def unit_boot_order(view: View) -> Iterator[Problem]:
    """Without After=network-online.target (systemd adds it for _netdev, and from 244 on for type ceph) the mount fails at boot and
    works by hand.
    """
    after = str(view.unit.get("After", "")).split()
    systemd = int(re.sub(r"\D", "", str(view.section("host").get("systemd") or "0")) or 0)
    if (
        view.unit_file
        and "network-online.target" not in after
        and "remote-fs-pre.target" not in after
    ):
        yield Problem(f"{view.unit_name} is not ordered after the network")
    elif view.unit_file and systemd < 244 and "_netdev" not in view.unit_options:
        yield Problem(
            f"{view.unit_name} has no _netdev, and systemd {systemd} does not know that ceph is a network file system"
        )


@check(
    "FSTAB_DUPLICATE",
    "fstab mounts the path too",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("fstab", "unit"),
)
def fstab_duplicate(view: View) -> Iterator[Problem]:
    """Two lines for one path, or a line beside the unit: mount -a and systemd mount twice, one over the other. Keep one."""
    lines = [
        entry
        for entry in view.section("fstab") or []
        if entry["target"].rstrip("/") == view.site.path
    ]
    own = "/etc/systemd/" in str(view.unit.get("FragmentPath", ""))
    surplus = lines if own else lines[1:]
    if surplus:
        numbers = "".join(f"{entry['line']}d;" for entry in surplus)
        yield Problem(
            f"/etc/fstab has {len(lines)} line{'s' if len(lines) > 1 else ''} for {view.site.path}{' beside the unit' if own else ''}",
            node=tuple(
                f"line {entry['line']}: {entry['source']} {entry['type']}" for entry in lines
            ),
            remedy="{ssh} \"sudo sh -c 'sed -i {numbers} /etc/fstab; systemctl daemon-reload'\"".replace(
                "{numbers}", f'\\"{numbers}\\"'
            ),
        )


@check(
    "AUTOMOUNT_ACTIVE",
    "An automount guards the path",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=NEEDS,
)
def automount_active(view: View) -> Iterator[Problem]:
    """x-systemd.automount: the first access mounts, so whoever looks triggers it, and a failed mount hangs the one who looked. cephctl
    does not touch the path and will not trigger it.
    """
    if view.unit.get("automount"):
        yield Problem(f"an automount unit is active for {view.site.path}")


@check(
    "DEPENDANT_UNORDERED",
    "A service needs the mount and does not wait for it",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("dependants",),
)
def dependant_unordered(view: View) -> Iterator[Problem]:
    """Requires= or Wants= without After= starts both at once: the service writes into the bare directory. (With Requires= and After=,
    systemctl stop of the mount stops the service, and starting the mount does not bring it back; a umount by hand stops nothing.
    cephctl node remount starts again what it stopped.)
    """
    for service in view.section("dependants") or []:
        if "After" not in service["ties"]:
            drop_in = f"/etc/systemd/system/{service['unit']}.d/after-storage.conf"
            write = f'mkdir -p {drop_in.rpartition("/")[0]}; printf \\"[Unit]\\\\nAfter={view.unit_name}\\\\n\\" >{drop_in}; systemctl daemon-reload'
            yield Problem(
                f"{service['unit']} has no After={view.unit_name}",
                node=(f"ties: {', '.join(service['ties'])}",),
                remedy=f"{{ssh}} \"sudo sh -c '{write}'\"",
            )


@check(
    "DEPENDANT_DOWN",
    "A service that stands on the mount does not run",
    Layer.SYMPTOM,
    severity=Severity.WARN,
    needs=("dependants", "mounts"),
)
def dependant_down(view: View) -> Iterator[Problem]:
    """It was stopped with the mount, or failed without it, and nobody started it again."""
    if view.is_mounted:
        down = [
            s["unit"]
            for s in view.section("dependants") or []
            if s["state"] in ("inactive", "failed") and s["type"] != "oneshot"
        ]
        if down:
            yield Problem(
                f"{', '.join(down)} does not run",
                remedy=f"{{ssh}} sudo systemctl start {' '.join(down)}",
            )


@check(
    "OPTION_UNKNOWN",
    "The kernel does not know a mount option",
    Layer.LOCAL,
    needs=(*NEEDS, "host", "kernel_log"),
    remedy=PUSH,
)
def option_unknown(view: View) -> Iterator[Problem]:
    """Mount error 22. Options came with kernels: recover_session 5.4, wsync 5.7, ms_mode 5.11, mon_addr and the user@fsid.name=/ form
    of the source 5.17. A misspelt one the kernel log names.
    """
    kernel = view.section("host")["kernel"]
    for name, since in OPTION_SINCE.items():
        if name in view.unit_option and version(kernel) < since:
            yield Problem(
                f"{name} needs Linux {since[0]}.{since[1]}, this is {kernel}", severity=view.later
            )
    event = view.events.get("unknown_option")
    named = re.search(r"'([^'=]+)", event.text) if event else None
    # The log remembers a mistake that is mended.
    still = named is None or named[1] in view.unit_option
    if event and still and not view.is_mounted:
        yield Problem(
            "the kernel refuses a mount option",
            node=(event.text, f"{view.unit_name}: Options={','.join(view.unit_options)}"),
        )


@check(
    "SOURCE_SYNTAX",
    "mount.ceph is too old for the form of the source",
    Layer.LOCAL,
    needs=(*NEEDS, "host"),
    remedy=PUSH,
)
def source_syntax(view: View) -> Iterator[Problem]:
    """user@fsid.name=/path needs mount.ceph of Ceph 17 and Linux 5.17; older ones say "unable to parse mount source"."""
    common = view.section("host").get("ceph_common") or ""
    if re.match(r"[^:,/]+@[^=]*=/", view.source) and common and version(common)[0] < 17:
        yield Problem(
            f"{view.unit_name} uses the new form of the source, and ceph-common is {common}",
            node=(f"What={view.source}",),
        )


@check(
    "OPTIONS_POOR",
    "Mount options that make trouble",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("mounts",),
    remedy=PUSH,
)
def options_poor(view: View) -> Iterator[Problem]:
    """Rbytes makes directories report the size of everything below, which confuses tar and rsync. (Left to taste: noatime saves
    metadata writes; recover_session=clean brings an evicted client back by itself and drops its unwritten data.)
    """
    if view.mount and "rbytes" in view.mount["super_options"]:
        yield Problem(
            "mounted with rbytes", node=(f"options {','.join(view.mount['super_options'])}",)
        )


@check(
    "QUOTA_UNENFORCED",
    "The kernel does not obey quotas",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("host", "mounts"),
)
def quota_unenforced(view: View) -> Iterator[Problem]:
    """Linux before 4.17 ignores CephFS quotas. Newer ones obey them late: a fast writer overshoots, and figures lag by ten seconds.
    EDQUOT below the limit: an ancestor's quota or max_files (`tenant quota get` shows the effective one). EXDEV from rename: it
    crosses a quota; copy instead. df shows a quota only of the mount's own root.
    """
    if view.is_mounted and version(view.section("host")["kernel"]) < (4, 17):
        yield Problem(f"kernel {view.section('host')['kernel']} is older than 4.17")
