"""Checks of whether a node can be asked at all, and of its clock."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.doctor.check import Layer, Problem, check
from cephctl.doctor.view import View
from cephctl.results import Severity

TOLERANCE = 5.0
"""Seconds of clock skew that are nobody's business."""
DANGEROUS = 300.0


def failed(view: View, *codes: str) -> Iterator[Problem]:
    failure = view.node.failure
    if failure and failure["code"] in codes:
        yield Problem(failure["problem"], remedy=failure.get("hint"))


@check("NODE_UNREACHABLE", "The node cannot be reached over SSH", Layer.REACH)
def node_unreachable(view: View) -> Iterator[Problem]:
    """There is no TCP connection to its sshd: it is off, cut off, or sshd does not run. Nothing is known of its mount; what the
    cluster still knows is its session, which ends 300 s (session_autoclose) after the last sign of life.
    """
    sessions = [
        each
        for each in view.known("sessions") or []
        if each["instance"].rpartition(":")[0].strip("[]") == view.node.address
    ]
    for trouble in failed(view, "NODE_UNREACHABLE"):
        lines = tuple(
            f"MDS session {each['id']} of {each['instance']} is {each['state']}"
            for each in sessions
        )
        yield Problem(
            trouble.summary,
            cluster=lines or ("no MDS session from its address",),
            remedy=trouble.remedy or f"ping -c 3 {view.node.address}",
        )


@check("NODE_SILENT", "The node accepts SSH and does not answer in time", Layer.REACH)
def node_silent(view: View) -> Iterator[Problem]:
    """sshd, the login or the node program did not answer within ssh.timeout. A machine whose processes all hang on a dead mount
    behaves so: look at the other nodes and the cluster first; its console may still work.
    """
    yield from failed(view, "NODE_SILENT")


@check("NODE_HOST_KEY_UNKNOWN", "The node's host key is not in known_hosts", Layer.REACH)
def node_host_key_unknown(view: View) -> Iterator[Problem]:
    """No login happens without knowing the host's key, whatever StrictHostKeyChecking says. Compare the fingerprint with
    the one on the node (ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub), then add it.
    """
    yield from failed(view, "NODE_HOST_KEY_UNKNOWN")


@check("NODE_HOST_KEY_CHANGED", "The node's host key is not the known one", Layer.REACH)
def node_host_key_changed(view: View) -> Iterator[Problem]:
    """Either the node was installed anew, or somebody is in between. Nothing was sent to it. Remove the old key only if you know
    which it is.
    """
    yield from failed(view, "NODE_HOST_KEY_CHANGED")


@check("NODE_LOGIN_REFUSED", "sshd refuses the login", Layer.REACH)
def node_login_refused(view: View) -> Iterator[Problem]:
    """None of the keys of the agent and of IdentityFile is accepted for this user. cephctl never asks for a password."""
    yield from failed(view, "NODE_LOGIN_REFUSED")


@check("NODE_SUDO_REFUSED", "sudo refuses to run python3 without a password", Layer.REACH)
def node_sudo_refused(view: View) -> Iterator[Problem]:
    """The facts are root's: debugfs, the kernel log, the secret file. The login needs NOPASSWD for /usr/bin/python3 in sudoers."""
    yield from failed(view, "NODE_SUDO_REFUSED")


@check("NODE_NO_PYTHON", "The node has no python3", Layer.REACH)
def node_no_python(view: View) -> Iterator[Problem]:
    """Nothing is installed on a node; what cephctl runs there needs python3 3.8 or newer, standard library only."""
    yield from failed(view, "NODE_NO_PYTHON")


@check("NODE_PYTHON_TOO_OLD", "The node's python3 is too old", Layer.REACH)
def node_python_too_old(view: View) -> Iterator[Problem]:
    """What cephctl runs on a node needs 3.8 or newer; nothing was looked at. Install a newer python3 there."""
    yield from failed(view, "NODE_PYTHON_TOO_OLD")


@check("NODE_PROGRAM_FAILED", "The node program ended without an answer", Layer.REACH)
def node_program_failed(view: View) -> Iterator[Problem]:
    """It was killed (memory?), or it has a bug, which the summary then names."""
    yield from failed(view, "NODE_PROGRAM_FAILED")


@check("NODE_CLOCK_SKEW", "The node's clock is wrong", Layer.CLOCK, needs=("clock",))
def node_clock_skew(view: View) -> Iterator[Problem]:
    """CephX tickets carry times: with a clock more than minutes off, tickets are expired or not yet valid, and the daemons refuse
    a client whose key is right. Compared with the clock of this machine; when every node is off by the same, it is this machine's
    that is wrong. Set the time, see that it is kept (chrony, systemd-timesyncd), then remount. See also MON_CLOCK_SKEW.
    """
    clock = view.section("clock")
    latest = clock["start"] - view.node.asked
    earliest = clock["end"] - view.node.answered
    skew = latest if latest < 0 else earliest if earliest > 0 else 0.0
    if abs(skew) > TOLERANCE:
        way = "ahead" if skew > 0 else "behind"
        yield Problem(
            f"the clock is at least {abs(skew):.0f} s {way}",
            severity=Severity.ERR if abs(skew) > DANGEROUS else Severity.WARN,
            remedy=f"{view.site.ssh(view.node.name)} sudo date -s @$(date +%s)",
        )


@check(
    "FACTS_UNREADABLE",
    "Some facts could not be read",
    Layer.SYMPTOM,
    severity=Severity.UNKNOWN,
    wide=True,
)
def facts_unreadable(view: View) -> Iterator[Problem]:
    """A check that cannot read what it needs says UNKNOWN, not OK: no debugfs, no root, an old kernel, no answer from the cluster. The
    finding lists each missing section, why it is missing, and the checks that were not made for want of it.
    """
    yield from ()
