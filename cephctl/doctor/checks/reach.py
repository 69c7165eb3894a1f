"""Checks of whether a node answers at all, and of its clock."""

from __future__ import annotations

from collections.abc import Iterator

from cephctl.address import Address
from cephctl.doctor.check import Layer, Problem, Topic, check
from cephctl.doctor.view import View, known
from cephctl.remedy import here, on_node
from cephctl.results import Severity

TOLERANCE = 5.0
"""Seconds of clock skew that do no harm."""
DANGEROUS = 300.0


def failed(view: View, code: str) -> Iterator[Problem]:
    failure = view.node.failure
    if failure and failure.code == code:
        hint = () if failure.remedy else tuple((failure.hint or "").splitlines())
        yield Problem(failure.problem, detail=hint, remedy=failure.remedy)


@check("NODE_UNREACHABLE", "The node cannot be reached over SSH", Layer.REACH, topic=Topic.REACH)
def node_unreachable(view: View) -> Iterator[Problem]:
    """No TCP connection to its sshd: the machine is off, its network is down, or sshd does not run.

    Nothing is known of its mount. The cluster knows its session, which ends 300 s
    (session_autoclose) after the last sign of life.
    """
    sessions = [
        each
        for each in known(view.cluster.sessions, ())
        if Address.parse(each.address).host == view.node.address
    ]
    for problem in failed(view, "NODE_UNREACHABLE"):
        lines = tuple(
            f"MDS session {each.id} of {each.address} is {each.state}" for each in sessions
        )
        yield Problem(
            problem.summary,
            problem.detail,
            cluster=lines or ("no MDS session from its address",),
            remedy=problem.remedy or (here("ping", "-c", "3", view.node.address, changes=False),),
        )


@check(
    "NODE_SILENT",
    "The node accepts the SSH connection and does not answer in time",
    Layer.REACH,
    topic=Topic.REACH,
)
def node_silent(view: View) -> Iterator[Problem]:
    """sshd, the login or the node program did not answer within ssh.timeout.

    A machine whose processes all hang on a dead mount behaves like this. Look at the other nodes
    and at the cluster first. The console of the machine may still work.
    """
    yield from failed(view, "NODE_SILENT")


@check(
    "NODE_HOST_KEY_UNKNOWN",
    "The node's host key is not in known_hosts",
    Layer.REACH,
    topic=Topic.REACH,
)
def node_host_key_unknown(view: View) -> Iterator[Problem]:
    """Cephctl logs in only to hosts whose key is known, whatever StrictHostKeyChecking says.

    Compare the fingerprint with the one on the node (ssh-keygen -lf
    /etc/ssh/ssh_host_ed25519_key.pub). Then add the key.
    """
    yield from failed(view, "NODE_HOST_KEY_UNKNOWN")


@check(
    "NODE_HOST_KEY_CHANGED",
    "The node's host key differs from known_hosts",
    Layer.REACH,
    topic=Topic.REACH,
)
def node_host_key_changed(view: View) -> Iterator[Problem]:
    """The node was reinstalled, or this is a man-in-the-middle attack. Nothing was sent to it.

    Remove the old key only if you know the reason.
    """
    yield from failed(view, "NODE_HOST_KEY_CHANGED")


@check("NODE_LOGIN_REFUSED", "sshd refuses the login", Layer.REACH, topic=Topic.REACH)
def node_login_refused(view: View) -> Iterator[Problem]:
    """Sshd accepts none of the keys of the agent and of IdentityFile for this user.

    cephctl never asks for a password.
    """
    yield from failed(view, "NODE_LOGIN_REFUSED")


@check(
    "NODE_SUDO_REFUSED",
    "sudo refuses to run python3 without a password",
    Layer.REACH,
    topic=Topic.REACH,
)
def node_sudo_refused(view: View) -> Iterator[Problem]:
    """Only root can read debugfs, the kernel log and the secret file.

    The login needs NOPASSWD for /usr/bin/python3 in sudoers.
    """
    yield from failed(view, "NODE_SUDO_REFUSED")


@check("NODE_NO_PYTHON", "The node has no python3", Layer.REACH, topic=Topic.REACH)
def node_no_python(view: View) -> Iterator[Problem]:
    """Cephctl installs nothing on a node. What it runs there needs python3 3.8 or newer, standard
    library only.
    """
    yield from failed(view, "NODE_NO_PYTHON")


@check("NODE_PYTHON_TOO_OLD", "The node's python3 is too old", Layer.REACH, topic=Topic.REACH)
def node_python_too_old(view: View) -> Iterator[Problem]:
    """What cephctl runs on a node needs python3 3.8 or newer. Install a newer one there."""
    yield from failed(view, "NODE_PYTHON_TOO_OLD")


@check(
    "NODE_PROGRAM_FAILED",
    "The node program ended without an answer",
    Layer.REACH,
    topic=Topic.REACH,
)
def node_program_failed(view: View) -> Iterator[Problem]:
    """It was killed (out of memory?), or it has a bug, which the summary then names."""
    yield from failed(view, "NODE_PROGRAM_FAILED")


@check("NODE_ANSWER_INVALID", "The node's answer is invalid", Layer.REACH, topic=Topic.REACH)
def node_answer_invalid(view: View) -> Iterator[Problem]:
    """The answer is not what cephctl's node program sends; the summary says which part.

    The node may be compromised, or its python3 or kernel is one that cephctl does not know. Nothing
    of the answer is used.
    """
    yield from failed(view, "NODE_ANSWER_INVALID")


@check("NODE_CLOCK_SKEW", "The node's clock is wrong", Layer.CLOCK, needs=("clock",))
def node_clock_skew(view: View) -> Iterator[Problem]:
    """CephX tickets contain times. With a clock minutes off, the daemons refuse a client whose key
    is right.

    The clock is compared with this machine's. If all nodes are off by the same time, this machine's
    is wrong. Set the time, and keep it (chrony, systemd-timesyncd); then remount. See also
    MON_CLOCK_SKEW.
    """
    latest = view.clock.start - view.node.asked
    earliest = view.clock.end - view.node.answered
    skew = latest if latest < 0 else earliest if earliest > 0 else 0.0
    if abs(skew) > TOLERANCE:
        way = "ahead" if skew > 0 else "behind"
        set_clock = on_node("xargs", "-I{}", "date", "-s", "@{}", feed=("date", "+%s"))
        yield Problem(
            f"the clock is at least {abs(skew):.0f} s {way}",
            severity=Severity.ERR if abs(skew) > DANGEROUS else Severity.WARN,
            remedy=(set_clock,),
        )
