"""Checks of the files that carry the key, and of how the unit passes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cephctl.doctor.check import PUSH, REMOUNT, Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

NEEDS = ("files", "unit")


def secret(view: View) -> dict[str, object]:
    found: dict[str, object] = view.files.get("secret", {})
    return found


def passed(view: View) -> bool:
    """Whether the unit mounts with a secret file."""
    return "secretfile" in view.unit_option


def spoilt(view: View, kind: str, what: str, said: str) -> Iterator[Problem]:
    if passed(view) and secret(view).get("class") == kind:
        yield Problem(
            f"{secret(view)['path']} {what}",
            node=(f"{secret(view)['size']} bytes; mount.ceph says: {said}",),
            severity=view.later,
            remedy=PUSH,
        )


@check("SECRET_MISSING", "The secret file is not there", Layer.AUTH, needs=NEEDS, remedy=PUSH)
def secret_missing(view: View) -> Iterator[Problem]:
    """The unit's secretfile= names a file that does not exist. A mount that is up goes on without it; the next one fails at once
    ("unable to read secretfile").
    """
    if passed(view) and secret(view).get("exists") is False:
        yield Problem(
            f"{secret(view)['path']} does not exist",
            node=(f"{view.unit_name}: Options={','.join(view.unit_options)}",),
            severity=view.later,
        )


@check("SECRET_EMPTY", "The secret file is empty", Layer.AUTH, needs=NEEDS)
def secret_empty(view: View) -> Iterator[Problem]:
    """What a bootstrap leaves behind that cuts the key out of a keyring which was not copied yet."""
    yield from spoilt(view, "empty", "is empty", "unable to read secret from file: Success")


@check("SECRET_IS_KEYRING", "The secret file holds a keyring", Layer.AUTH, needs=NEEDS)
def secret_is_keyring(view: View) -> Iterator[Problem]:
    """secretfile= wants the bare key, one line of base64. A keyring has a [section] and "key = …": mount.ceph says "secret is not
    valid base64".
    """
    yield from spoilt(
        view, "keyring", "holds a keyring, not a bare key", "secret is not valid base64"
    )


@check("SECRET_GARBLED", "The secret file holds no key", Layer.AUTH, needs=NEEDS)
def secret_garbled(view: View) -> Iterator[Problem]:
    """It is not base64, or it decodes to something that is no CephX key: truncated, pasted in part, encoded twice."""
    yield from spoilt(
        view,
        "garbled",
        "is truncated or no key at all",
        "secret is not valid base64, or the monitors refuse it",
    )


@check(
    "KEY_MISMATCH",
    "The key on the node is not the cluster's",
    Layer.AUTH,
    needs=(*NEEDS, "cluster.entity"),
    remedy=PUSH,
)
def key_mismatch(view: View) -> Iterator[Problem]:
    """The secret file is well formed and holds another key than the cluster has for the entity. Mounting fails with "no mds server
    is up or the cluster is laggy"; only the kernel log says -13. A mount that is up with the old key hangs at the next restart of
    its monitor. Compared are the secret's bytes: a header with another date is the same key.
    """
    own, theirs = secret(view).get("fingerprint"), view.key.get("fingerprint")
    if own and theirs and own != theirs:
        yield Problem(
            f"the key in {secret(view)['path']} is not the one the cluster has for {view.site.entity}",
            node=(f"fingerprint {own}",),
            cluster=(f"fingerprint {theirs}, key of {day(view.key['created'])}",),
            severity=view.later,
        )


def day(epoch: float) -> str:
    return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")


@check(
    "KEY_NEWER_THAN_MOUNT",
    "The key was changed after this mount was made",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("clients", "cluster.entity"),
)
def key_newer_than_mount(view: View) -> Iterator[Problem]:
    """Healthy now, and it will hang: the client still lives on the tickets of a key that is gone. What sets it off is the next
    restart of its monitor, a network break, or the end of its ticket (72 h at most): then df hangs, and after an MDS failover
    everything. Remount before that, one node after the other; it costs a second each.
    """
    if not view.client or view.client.get("name") not in (None, view.site.user):
        # Another entity's key says nothing of this mount.
        return
    if view.key.get("created", 0) > view.client["started"] + 1 and not view.events.get(
        "auth_refused"
    ):
        push = view.files.get("secret", {}).get("fingerprint") != view.key["fingerprint"]
        yield Problem(
            "this mount's key was replaced; it will hang when its monitor session breaks",
            node=(f"client started {day(view.client['started'])}",),
            cluster=(f"key of {day(view.key['created'])}",),
            remedy=PUSH if push else REMOUNT,
        )


@check(
    "KEYRING_DIFFERS",
    "Keyring and secret file hold different keys",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("files", "cluster.entity"),
)
def keyring_differs(view: View) -> Iterator[Problem]:
    """Cephadm rewrites keyrings, not secret files: mount.ceph uses the one, all other tools the other. Whichever is not the
    cluster's is a time bomb.
    """
    own, ring, theirs = (
        source.get("fingerprint")
        for source in (secret(view), view.files.get("keyring", {}), view.key)
    )
    if ring and own and ring != own:
        right = (
            "the secret file" if own == theirs else "the keyring" if ring == theirs else "neither"
        )
        yield Problem(
            f"keyring and secret file differ; {right} has the cluster's key",
            node=(f"keyring {ring}, secret file {own}",),
            cluster=(f"fingerprint {theirs}",),
            remedy="cephctl node push {node}",
        )


@check(
    "SECRET_READABLE",
    "Others can read the key",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("files",),
    remedy="cephctl node push {node}",
)
def secret_readable(view: View) -> Iterator[Problem]:
    """The secret file or keyring is readable by group or others, or not root's. Tenants' processes run on this node."""
    for name in ("secret", "keyring"):
        file = view.files.get(name, {})
        if file.get("exists") and (file["mode"] & 0o077 or file["uid"]):
            yield Problem(
                f"{file['path']} has mode {file['mode']:04o}, owner {file['uid']}",
                node=("it must be 0600, root",),
            )


@check(
    "SECRET_IN_OPTIONS",
    "A key stands in fstab or in the unit",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit", "fstab"),
    remedy="cephctl node push {node}",
)
def secret_in_options(view: View) -> Iterator[Problem]:
    """secret= in fstab or in a unit is readable by everybody (systemctl show, mount units are 0644). Use secretfile=, and rotate
    the key: it was public.
    """
    for entry in view.section("fstab") or []:
        if entry["has_secret"]:
            yield Problem(
                f"/etc/fstab line {entry['line']} has secret=",
                remedy="{ssh} sudo sed -i {line}d /etc/fstab".replace("{line}", str(entry["line"])),
            )
    if view.unit.get("has_secret"):
        yield Problem(f"{view.unit_name} has secret= in its options")


@check("SECRET_NOT_PASSED", "The unit passes no key", Layer.AUTH, needs=NEEDS, remedy=PUSH)
def secret_not_passed(view: View) -> Iterator[Problem]:
    """Neither secretfile= nor secret= in the unit's options. mount.ceph then looks into /etc/ceph for a keyring, then takes what is
    left in the kernel's key store, possibly the key from before a rotation; with none of them the kernel says "no secret set (for
    auth_x protocol)" and the mount fails.
    """
    if view.unit_file and not passed(view) and "secret" not in view.unit_option:
        ring = view.files.get("keyring", {})
        severity = Severity.WARN if view.is_mounted or ring.get("class") == "key" else None
        yield Problem(
            "the unit has no secretfile=",
            node=(f"{view.unit_name}: Options={','.join(view.unit_options)}",),
            severity=severity,
        )


@check(
    "KERNEL_KEY_STALE",
    "The kernel's key store holds a key that a mount could fall back to",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("kernel_keys", "unit"),
)
def kernel_key_stale(view: View) -> Iterator[Problem]:
    """mount.ceph without a readable secret takes the key it finds in the kernel's key store, which may be an old one: -13 although
    the file is right. Remove it, and pass a secretfile.
    """
    if view.section("kernel_keys") and not passed(view):
        yield Problem(
            "a Ceph key is cached in the kernel",
            node=tuple(view.section("kernel_keys")),
            remedy="{ssh} sudo keyctl purge ceph",
        )


@check(
    "KERNEL_KEY_GONE",
    "The kernel's key store refused the key",
    Layer.AUTH,
    needs=("kernel_log",),
    remedy=REMOUNT,
)
def kernel_key_gone(view: View) -> Iterator[Problem]:
    """The kernel log says "Failed due to key not found", expired or revoked: the options name a key in the key store (key=) instead
    of a secret, or somebody remounted without naming one. Mount through the unit, with secretfile=.
    """
    event = view.events.get("kernel_key")
    if event and not view.is_mounted:
        yield Problem("the kernel found no usable key", node=(event.text,))


@check(
    "NAME_PREFIXED", "name= carries the prefix client.", Layer.AUTH, needs=("unit",), remedy=PUSH
)
def name_prefixed(view: View) -> Iterator[Problem]:
    """name=client.web means client.client.web, which does not exist: -13. mount.ceph wants the name without its type."""
    name = view.unit_option.get("name", "")
    if name.startswith("client."):
        yield Problem(
            f"the unit mounts as client.{name}",
            node=(f"{view.unit_name}: name={name}",),
            severity=view.later,
        )


@check(
    "NAME_DIFFERS",
    "The unit mounts as another entity",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("unit",),
    remedy=PUSH,
)
def name_differs(view: View) -> Iterator[Problem]:
    """The unit's name= is not the entity that cephctl is configured for (mount.entity): what is said of keys and caps is said of
    the configured one.
    """
    name = view.unit_option.get("name", "")
    if name and name not in (view.site.user, view.site.entity):
        yield Problem(
            f"the unit mounts as client.{name}, not {view.site.entity}",
            node=(f"{view.unit_name}: name={name}",),
        )
