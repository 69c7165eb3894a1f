"""Checks of how the unit passes name and key, and of the kernel's key store."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import PUSH_AND_REMOUNT, REMOUNT, Layer, Problem, Topic, check
from cephctl.doctor.checks.secret import passes_file
from cephctl.doctor.view import View, known
from cephctl.remedy import on_node
from cephctl.results import Severity


@check(
    "SECRET_NOT_PASSED",
    "The unit passes no key",
    Layer.AUTH,
    needs=("files", "unit"),
    topic=Topic.KEYS,
    remedy=PUSH_AND_REMOUNT,
    blocks_rotation=True,
)
def secret_not_passed(view: View) -> Iterator[Problem]:
    """The unit's options contain neither secretfile= nor secret=. Then mount.ceph looks for a
    keyring in /etc/ceph.

    After that it uses what is left in the kernel's key store, possibly the key from before a
    rotation. With none of them the kernel says "no secret set (for auth_x protocol)" and the mount
    fails.
    """
    if view.unit.file and not passes_file(view) and "secret" not in view.unit_option:
        harmless = view.is_mounted or view.files.keyring.kind == "key"
        yield Problem(
            "the unit has no secretfile=",
            node=(view.unit_says,),
            severity=Severity.WARN if harmless else None,
        )


@check(
    "KERNEL_KEY_STALE",
    "The kernel's key store contains a key that a mount could use",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("kernel_keys", "unit"),
    topic=Topic.KEYS,
    remedy=(on_node("keyctl", "purge", "ceph"),),
)
def kernel_key_stale(view: View) -> Iterator[Problem]:
    """Without a readable secret, mount.ceph uses the key in the kernel's key store, which may be an
    old one.

    Then authentication fails with -13 although the file is right. Remove that key, and pass a
    secretfile.
    """
    keys = known(view.node.facts.kernel_keys, ())
    if keys and not passes_file(view):
        yield Problem("a Ceph key is cached in the kernel", node=keys)


@check(
    "KERNEL_KEY_GONE",
    "The kernel's key store refused the key",
    Layer.AUTH,
    needs=("kernel_log",),
    topic=Topic.KEYS,
    remedy=REMOUNT,
)
def kernel_key_gone(view: View) -> Iterator[Problem]:
    """The kernel log says "Failed due to key not found", expired or revoked.

    The options name a key in the key store (key=) instead of a secret, or the path was remounted
    without naming one. Mount through the unit, with secretfile=.
    """
    event = view.events.get("kernel_key")
    if event and not view.is_mounted:
        yield Problem("the kernel found no usable key", node=(event.text,))


@check(
    "NAME_PREFIXED",
    "name= has the prefix client.",
    Layer.AUTH,
    needs=("unit",),
    topic=Topic.KEYS,
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
    blocks_rotation=True,
)
def name_prefixed(view: View) -> Iterator[Problem]:
    """name=client.web means client.client.web, which does not exist: -13. mount.ceph expects the
    name without its type.
    """
    name = view.unit_option.get("name", "")
    if name.startswith("client."):
        yield Problem(
            f"the unit mounts as client.{name}",
            node=(f"{view.unit.name}: name={name}",),
            severity=view.later,
        )


@check(
    "NAME_DIFFERS",
    "The unit mounts as another entity",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("unit",),
    remedy=PUSH_AND_REMOUNT,
)
def name_differs(view: View) -> Iterator[Problem]:
    """The unit's name= is not the entity in cephctl's configuration (mount.entity).

    All findings about keys and caps are about the configured one.
    """
    name = view.unit_option.get("name", "")
    if name and name not in (view.site.user, view.site.entity):
        yield Problem(
            f"the unit mounts as client.{name}, not {view.site.entity}",
            node=(f"{view.unit.name}: name={name}",),
        )
