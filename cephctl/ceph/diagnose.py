"""After a timeout: which daemons are silent, and the eviction of the session that a killed worker
left.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING

from cephctl.address import Address, addrvec
from cephctl.ceph.messages import Mounted
from cephctl.ceph.worker import Limits, Report, worker
from cephctl.errors import CephctlError, Crashed, Interrupted, SilentDaemon, Unanswered

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.target import Target

DIAGNOSIS_SECONDS = 1.2
"""How long a command may take beyond its deadline to name the silent daemon and to evict its own
dead session.
"""
INTERRUPT_SECONDS = 0.35
BANNER_SECONDS = 0.4
MAX_DAEMONS = 500


def diagnosed(target: Target, error: Unanswered, session: Mounted | None) -> Unanswered:
    """The same error, with the daemons that are silent now. A session left behind is evicted."""
    silent, evicted = evidence(target, session, DIAGNOSIS_SECONDS)
    lines = [str(each) for each in silent]
    if not silent and error.whom.startswith("mds."):
        lines = [unexplained(target)]
    hint = "\n".join([*lines, *session_lines(session, evicted)]) or None
    return Unanswered(error.whom, error.what, error.seconds, hint, silent)


def unexplained(target: Target) -> str:
    """Every daemon sends its banner, and an MDS is silent: 18.2 does not answer a client without
    mds caps (measured).
    """
    from cephctl.caps import MDS_CAPS
    from cephctl.ceph.login import caps_hint

    return (
        "every daemon that was tried is alive; the MDS may be overloaded, or "
        f"{target.entity} may lack mds '{MDS_CAPS}':\n{caps_hint(target)}"
    )


def interrupted(target: Target, session: Mounted | None) -> Interrupted:
    if session is None:
        return Interrupted("interrupted")
    _, evicted = evidence(target, session, INTERRUPT_SECONDS)
    return Interrupted("interrupted", *session_lines(session, evicted))


def crashed(target: Target, crash: Crashed, session: Mounted | None) -> Crashed:
    if session is None:
        return crash
    _, evicted = evidence(target, session, DIAGNOSIS_SECONDS)
    hint = "\n".join([*filter(None, [crash.hint]), *session_lines(session, evicted)])
    return Crashed(crash.message, hint)


def session_lines(session: Mounted | None, evicted: frozenset[str]) -> list[str]:
    """What became of the session of a killed worker: while it is open it can block other clients'
    mkdir, for 60 s.
    """
    if session is None:
        return []
    left = [daemon for daemon in session.daemons if daemon not in evicted]
    if not left:
        return [f"this command's own MDS session {session.client_id} was evicted"]
    commands = " && ".join(
        f"ceph tell {daemon} client evict id={session.client_id}" for daemon in left
    )
    return [
        f"this command's own MDS session {session.client_id} is still open; "
        f"it ends automatically in a minute, or with: {commands}"
    ]


def evidence(
    target: Target, session: Mounted | None, seconds: float
) -> tuple[tuple[SilentDaemon, ...], frozenset[str]]:
    """The silent daemons, and the MDS that evicted the session; asked in a worker of its own, which
    may hang too.
    """
    found: list[SilentDaemon | str] = []
    with contextlib.suppress(CephctlError, KeyboardInterrupt):
        child = worker()
        job = partial(collect, target, session, seconds)
        child.start(job, Limits(seconds, total=seconds, grace=0))
        found.extend(child.results())
    silent = tuple(each for each in found if isinstance(each, SilentDaemon))
    return silent, frozenset(each for each in found if isinstance(each, str))


def collect(
    target: Target, session: Mounted | None, seconds: float, report: Report
) -> Generator[SilentDaemon | str, None, None]:
    """Each daemon that is silent, and the name of each MDS that ended the session."""
    from cephctl.ceph.banner import problems
    from cephctl.ceph.commands import Cluster, evict_session
    from cephctl.ceph.login import check

    login = check(target)
    wait = min(BANNER_SECONDS, seconds / 3)
    monitors = [Address(host, port) for host, port in login.monitors]
    silent = problems(monitors, wait)
    # A monitor listens on two ports, or on one of those that were guessed: one that answers will
    # do.
    answering = {each.host for each in monitors if each not in silent}
    for address, problem in silent.items():
        if address.host not in answering:
            yield SilentDaemon("monitor", str(address), problem)
    if not answering:
        return
    with Cluster(login, report).connected() as cluster:
        names = daemon_addresses(cluster)
        silent = problems(names, wait)
        for address, problem in silent.items():
            yield SilentDaemon(names[address], str(address), problem)
        quiet = {names[address] for address in silent}
        for daemon in set(session.daemons) - quiet if session else ():
            assert session
            evict_session(cluster, daemon.removeprefix("mds."), session.client_id)
            yield daemon


def daemon_addresses(cluster: Cluster) -> dict[Address, str]:
    """Every MDS of a file system and every OSD that the monitors report as up, by address; not more
    than can be asked.
    """
    names: dict[Address, str] = {}
    for system in cluster.command("fs dump")["filesystems"]:
        for info in system["mdsmap"]["info"].values():
            names[addrvec(info["addrs"])[0][1]] = f"mds.{info['name']}"
    for osd in cluster.command("osd dump")["osds"]:
        if osd["up"]:
            names[addrvec(osd["public_addrs"])[0][1]] = f"osd.{osd['osd']}"
    return dict(islice(names.items(), MAX_DAEMONS))
