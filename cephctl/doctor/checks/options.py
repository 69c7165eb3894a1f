"""Checks of the options that the unit mounts with."""

from __future__ import annotations

import re
from collections.abc import Iterator

from cephctl.doctor.check import PUSH_AND_REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity
from cephctl.units import version_numbers

# Option → the first Linux version that knows it.
OPTION_SINCE = {
    "recover_session": (5, 4),
    "wsync": (5, 7),
    "nowsync": (5, 7),
    "ms_mode": (5, 11),
    "mon_addr": (5, 17),
}


@check(
    "OPTION_UNKNOWN",
    "The kernel does not know a mount option",
    Layer.LOCAL,
    needs=("unit", "host", "kernel_log"),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
)
def option_unknown(view: View) -> Iterator[Problem]:
    """Mount error 22. Some options need a kernel: recover_session 5.4, wsync 5.7, ms_mode 5.11,
    mon_addr 5.17.

    The source form user@fsid.name=/ needs 5.17 too. The kernel log names an option that is
    misspelled.
    """
    kernel = view.host.kernel
    for name, since in OPTION_SINCE.items():
        if name in view.unit_option and version_numbers(kernel) < since:
            yield Problem(
                f"{name} needs Linux {since[0]}.{since[1]}, this is {kernel}", severity=view.later
            )
    event = view.events.get("unknown_option")
    named = re.search(r"'([^'=]+)", event.text) if event else None
    # The log may be older than the correction.
    still = named is None or named[1] in view.unit_option
    if event and still and not view.is_mounted:
        yield Problem("the kernel refuses a mount option", node=(event.text, view.unit_says))


@check(
    "SOURCE_SYNTAX",
    "mount.ceph is too old for the form of the source",
    Layer.LOCAL,
    needs=("unit", "host"),
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
)
def source_syntax(view: View) -> Iterator[Problem]:
    """user@fsid.name=/path needs mount.ceph of Ceph 17 and Linux 5.17; older ones say "unable to
    parse mount source".
    """
    common = view.host.ceph_common or ""
    new_form = re.match(r"[^:,/]+@[^=]*=/", view.source)
    if new_form and common and version_numbers(common)[0] < 17:
        yield Problem(
            f"{view.unit.name} uses the new form of the source, and ceph-common is {common}",
            node=(f"What={view.source}",),
        )


@check(
    "OPTIONS_DISCOURAGED",
    "The mount has discouraged options",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("mounts",),
    remedy=PUSH_AND_REMOUNT,
)
def options_discouraged(view: View) -> Iterator[Problem]:
    """Rbytes makes directories report the size of everything below, which confuses tar and rsync.

    Optional: noatime saves metadata writes. recover_session=clean reconnects an evicted client
    automatically, and drops its unwritten data.
    """
    if view.mount and "rbytes" in view.mount.super_options:
        yield Problem(
            "mounted with rbytes", node=(f"options {','.join(view.mount.super_options)}",)
        )


@check(
    "QUOTA_UNENFORCED",
    "The kernel does not enforce quotas",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("host", "mounts"),
)
def quota_unenforced(view: View) -> Iterator[Problem]:
    """Linux before 4.17 ignores CephFS quotas. Newer kernels enforce them with a delay: a fast
    writer exceeds them.

    EDQUOT below the limit means an ancestor's quota or max_files (`tenant quota get` shows the
    effective one). EXDEV from rename means that it crosses a quota; copy instead. df shows only the
    quota of the mount's own root.
    """
    if view.is_mounted and version_numbers(view.host.kernel) < (4, 17):
        yield Problem(f"kernel {view.host.kernel} is older than 4.17")
