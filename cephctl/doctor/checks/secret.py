"""Checks of the files that contain the key, and of how the unit passes it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from cephctl.doctor.check import PUSH, PUSH_AND_REMOUNT, REMOUNT, Layer, Problem, Topic, check
from cephctl.doctor.view import View, known
from cephctl.remedy import on_node
from cephctl.results import Severity


def passes_file(view: View) -> bool:
    """Whether the unit mounts with a secret file."""
    return "secretfile" in view.unit_option


def unusable(view: View, kind: str, what: str, said: str) -> Iterator[Problem]:
    file = view.files.secret
    if passes_file(view) and file.kind == kind:
        yield Problem(
            f"{file.path} {what}",
            node=(f"{file.size} bytes; mount.ceph says: {said}",),
            severity=view.later,
            remedy=PUSH_AND_REMOUNT,
        )


@check(
    "SECRET_MISSING",
    "The secret file does not exist",
    Layer.AUTH,
    needs=("files", "unit"),
    topic=Topic.KEYS,
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
    blocks_rotation=True,
)
def secret_missing(view: View) -> Iterator[Problem]:
    """The unit's secretfile= names a file that does not exist.

    An existing mount keeps working. The next one fails at once ("unable to read secretfile").
    """
    if passes_file(view) and view.files.secret.path and not view.files.secret.exists:
        yield Problem(
            f"{view.files.secret.path} does not exist",
            node=(view.unit_says,),
            severity=view.later,
        )


@check(
    "SECRET_EMPTY",
    "The secret file is empty",
    Layer.AUTH,
    needs=("files", "unit"),
    topic=Topic.KEYS,
    prevents_mount=True,
    blocks_rotation=True,
)
def secret_empty(view: View) -> Iterator[Problem]:
    """Typical of a setup script that cut the key out of a keyring before the keyring was copied."""
    yield from unusable(view, "empty", "is empty", "unable to read secret from file: Success")


@check(
    "SECRET_IS_KEYRING",
    "The secret file contains a keyring",
    Layer.AUTH,
    needs=("files", "unit"),
    topic=Topic.KEYS,
    prevents_mount=True,
    blocks_rotation=True,
)
def secret_is_keyring(view: View) -> Iterator[Problem]:
    """secretfile= needs the bare key, one line of base64. A keyring has a [section] and "key = …".

    mount.ceph says "secret is not valid base64".
    """
    yield from unusable(
        view, "keyring", "contains a keyring, not a bare key", "secret is not valid base64"
    )


@check(
    "SECRET_GARBLED",
    "The secret file contains no valid key",
    Layer.AUTH,
    needs=("files", "unit"),
    topic=Topic.KEYS,
    prevents_mount=True,
    blocks_rotation=True,
)
def secret_garbled(view: View) -> Iterator[Problem]:
    """It is not base64, or does not decode to a CephX key: truncated, pasted in part, or encoded
    twice.
    """
    yield from unusable(
        view,
        "garbled",
        "is truncated or not a key",
        "secret is not valid base64, or the monitors refuse it",
    )


@check(
    "KEY_MISMATCH",
    "The key on the node differs from the cluster's",
    Layer.AUTH,
    needs=("files", "unit", "cluster.entity"),
    topic=Topic.KEYS,
    remedy=PUSH_AND_REMOUNT,
    prevents_mount=True,
    blocks_rotation=True,
)
def key_mismatch(view: View) -> Iterator[Problem]:
    """The secret file is well formed and contains another key than the cluster has for the entity.

    Mounting fails with "no mds server is up or the cluster is laggy"; only the kernel log says -13.
    A mount that uses the old key hangs at the next restart of its monitor. The comparison is of the
    secret's bytes: a header with another date is the same key.
    """
    own, key = view.files.secret.fingerprint, view.key
    if own and key and own != key.fingerprint:
        yield Problem(
            (
                f"the key in {view.files.secret.path} differs from the cluster's for "
                f"{view.site.entity}"
            ),
            node=(f"fingerprint {own}",),
            cluster=(f"fingerprint {key.fingerprint}, key of {day(key.created)}",),
            severity=view.later,
        )


def day(epoch: float) -> str:
    """A time in UTC; what is outside the calendar stays a number."""
    try:
        return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M:%S UTC")
    except (OverflowError, ValueError, OSError):
        return f"{epoch:.0f} s"


@check(
    "KEY_NEWER_THAN_MOUNT",
    "The key was changed after the mount was made",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("clients", "cluster.entity"),
    topic=Topic.KEYS,
    blocks_rotation=True,
)
def key_newer_than_mount(view: View) -> Iterator[Problem]:
    """The mount works now, and will hang: its client authenticated with the former key.

    The next restart of its monitor, a network break, or the end of its ticket (72 h at most) makes
    df hang. After an MDS failover everything hangs. Remount before that, one node after the other;
    it takes a second each.
    """
    client, key = view.client, view.key
    if not client or not key or client.name not in (None, view.site.user):
        # Another entity's key says nothing of this mount.
        return
    if key.created > client.started + 1 and "auth_refused" not in view.events:
        push = view.files.secret.fingerprint != key.fingerprint
        yield Problem(
            "this mount's key was replaced; it will hang when its monitor session breaks",
            node=(f"client started {day(client.started)}",),
            cluster=(f"key of {day(key.created)}",),
            remedy=PUSH_AND_REMOUNT if push else REMOUNT,
        )


@check(
    "KEYRING_DIFFERS",
    "Keyring and secret file contain different keys",
    Layer.AUTH,
    severity=Severity.WARN,
    needs=("files", "cluster.entity"),
    topic=Topic.KEYS,
    remedy=PUSH,
    blocks_rotation=True,
)
def keyring_differs(view: View) -> Iterator[Problem]:
    """Cephadm rewrites keyrings, not secret files. mount.ceph uses the secret file, all other tools
    the keyring.

    Whichever differs from the cluster will fail later.
    """
    own, ring = view.files.secret.fingerprint, view.files.keyring.fingerprint
    right = view.key.fingerprint if view.key else None
    if ring and own and ring != own:
        whose = {own: "the secret file has", ring: "the keyring has"}
        yield Problem(
            "keyring and secret file differ; "
            f"{whose.get(right or '', 'neither has')} the cluster's key",
            node=(f"keyring {ring}, secret file {own}",),
            cluster=(f"fingerprint {right}",),
        )


@check(
    "SECRET_READABLE",
    "Other users can read the key",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("files",),
    topic=Topic.KEYS,
    remedy=PUSH,
)
def secret_readable(view: View) -> Iterator[Problem]:
    """The secret file or keyring is readable by group or others, or not owned by root. Tenants'
    processes run on this node.
    """
    for file in (view.files.secret, view.files.keyring):
        if file.exists and (file.mode & 0o077 or file.uid):
            yield Problem(
                f"{file.path} has mode {file.mode & 0o7777:04o}, owner {file.uid}",
                node=("it must be 0600, root",),
            )


@check(
    "SECRET_IN_OPTIONS",
    "A key is written in fstab or the unit",
    Layer.LOCAL,
    severity=Severity.WARN,
    needs=("unit", "fstab"),
    topic=Topic.KEYS,
    remedy=PUSH,
)
def secret_in_options(view: View) -> Iterator[Problem]:
    """secret= in fstab or in a unit is readable by all users (systemctl show; mount units are
    0644).

    Use secretfile=, and rotate the key: it was public.
    """
    for entry in known(view.node.facts.fstab, ()):
        if entry.has_secret:
            yield Problem(
                f"/etc/fstab line {entry.line} has secret=",
                remedy=(on_node("sed", "-i", f"{entry.line}d", "/etc/fstab"),),
            )
    if view.unit.has_secret:
        yield Problem(f"{view.unit.name} has secret= in its options")
