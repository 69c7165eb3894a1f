"""Ask the cluster a question in a worker; when it stays silent, find out who is silent and clean up."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Generator, Iterator
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from cephctl.ceph.worker import Limits, Mounted, Report, Worker, worker
from cephctl.errors import CephctlError, Crashed, Interrupted, Unanswered, UnexpectedAnswer

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.target import Target

Question = Callable[["Cluster"], Generator[Any, None, None]]

INQUEST_SECONDS = 1.2
"""How long a command may take beyond its deadline to name who is silent and to evict its own dead session."""
INTERRUPT_SECONDS = 0.35
BANNER_SECONDS = 0.4
MOST_DAEMONS = 500


def ask(target: Target, question: Question, debug: bool = False) -> Iterator[Any]:
    """Send the question off; what it yields comes with the iteration.

    Every silence is bounded by the target's timeout, and Ctrl-C works at any time.
    """
    child = worker()
    child.start(partial(answer, target, question), Limits(target.timeout), debug)
    return answers(target, child)


def ask_quickly(target: Target, question: Question, seconds: float) -> Iterator[Any]:
    """The same for completion: over after these seconds, without asking why."""
    child = worker()
    child.start(partial(answer, target, question), Limits(seconds, total=seconds, grace=0.2))
    return child.results()


def answers(target: Target, child: Worker) -> Iterator[Any]:
    try:
        yield from child.results()
    except Unanswered as silence:
        raise inquest(target, silence, child.session) from None
    except Crashed as crash:
        raise crashed(target, crash, child.session) from None
    except KeyboardInterrupt:
        raise interrupted(target, child.session) from None


def answer(target: Target, question: Question, report: Report) -> Generator[Any, None, None]:
    """The worker's side."""
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.login import check

    with Cluster(check(target), report).connected() as cluster:
        try:
            yield from question(cluster)
        except UnexpectedAnswer as error:
            raise UnexpectedAnswer(
                error.message, f"the cluster runs {cluster.version()}; cephctl knows 16.2 and 18.2"
            ) from None


def inquest(target: Target, silence: Unanswered, session: Mounted | None) -> Unanswered:
    """The same error, naming the daemons that are silent now. A session left behind is evicted."""
    silent, evicted = examine(target, session, INQUEST_SECONDS)
    if not silent and silence.whom.startswith("mds."):
        silent = [unexplained(target)]
    return Unanswered(
        silence.whom,
        silence.what,
        silence.seconds,
        "\n".join([*silent, *session_note(session, evicted)]) or None,
    )


def unexplained(target: Target) -> str:
    """Every daemon says hello, and yet an MDS is silent: 18.2 does not answer a client without mds caps at all (measured)."""
    from cephctl.caps import MDS_CAPS
    from cephctl.ceph.login import caps_hint

    return (
        "every daemon that was asked is alive; the MDS may be overloaded, or "
        f"{target.entity} may lack mds '{MDS_CAPS}':\n{caps_hint(target)}"
    )


def interrupted(target: Target, session: Mounted | None) -> Interrupted:
    if session is None:
        return Interrupted("interrupted")
    _, evicted = examine(target, session, INTERRUPT_SECONDS)
    return Interrupted("interrupted", *session_note(session, evicted))


def crashed(target: Target, crash: Crashed, session: Mounted | None) -> Crashed:
    if session is None:
        return crash
    _, evicted = examine(target, session, INQUEST_SECONDS)
    return Crashed(
        crash.message, "\n".join([*filter(None, [crash.hint]), *session_note(session, evicted)])
    )


def session_note(session: Mounted | None, evicted: set[str]) -> list[str]:
    """What became of the session of a killed worker: while it is open it can block other clients' mkdir, for 60 s."""
    if session is None:
        return []
    left = [daemon for daemon in session.daemons if daemon not in evicted]
    if not left:
        return [f"this command's own MDS session {session.client_id} was evicted"]
    commands = " && ".join(
        f"ceph tell {daemon} client evict id={session.client_id}" for daemon in left
    )
    return [
        f"this command's own MDS session {session.client_id} is still open; it ends by itself in a minute, or with: {commands}"
    ]


def examine(target: Target, session: Mounted | None, seconds: float) -> tuple[list[str], set[str]]:
    """Who is silent, and which MDS have evicted the session; asked in a worker of its own, for it may hang too."""
    silent: list[str] = []
    evicted: set[str] = set()
    job = partial(evidence, target, session, seconds)
    with contextlib.suppress(CephctlError, KeyboardInterrupt):
        child = worker()
        child.start(job, Limits(seconds, total=seconds, grace=0))
        for kind, text in child.results():
            silent.append(text) if kind == "silent" else evicted.add(text)
    return silent, evicted


def evidence(
    target: Target, session: Mounted | None, seconds: float, report: Report
) -> Generator[tuple[str, str], None, None]:
    """Pairs: ("silent", a daemon and its trouble), ("evicted", the MDS that ended the session)."""
    from cephctl.ceph.banner import silences
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.login import check

    login = check(target)
    wait = min(BANNER_SECONDS, seconds / 3)
    silent = silences(login.monitors, wait)
    # A monitor listens on two ports, or on one of those that were guessed: one that answers will do.
    answering = {host for host, port in login.monitors if (host, port) not in silent}
    for (host, port), problem in silent.items():
        if host not in answering:
            yield "silent", f"monitor {host}:{port} {problem}"
    if not answering:
        return
    with Cluster(login, report).connected() as cluster:
        names = daemon_addresses(cluster)
        silent = silences(names, wait)
        for address, problem in silent.items():
            yield "silent", f"{names[address]} at {address[0]}:{address[1]} {problem}"
        quiet = {names[address] for address in silent}
        if session:
            for daemon in set(session.daemons) - quiet:
                # One session, by id: without a filter 16.2 would evict every client.
                cluster.mds_command(
                    daemon.removeprefix("mds."), "client evict", filters=[f"id={session.client_id}"]
                )
                yield "evicted", daemon


def daemon_addresses(cluster: Cluster) -> dict[tuple[str, int], str]:
    """Every MDS of a file system and every OSD that the monitors think is up, by address; not more than can be asked."""
    names: dict[tuple[str, int], str] = {}
    for system in cluster.command("fs dump")["filesystems"]:
        for info in system["mdsmap"]["info"].values():
            names[first_address(info["addrs"])] = f"mds.{info['name']}"
    for osd in cluster.command("osd dump")["osds"]:
        if osd["up"]:
            names[first_address(osd["public_addrs"])] = f"osd.{osd['osd']}"
    return dict(islice(names.items(), MOST_DAEMONS))


def first_address(addresses: dict[str, Any]) -> tuple[str, int]:
    host, _, port = addresses["addrvec"][0]["addr"].rpartition(":")
    return host.strip("[]"), int(port)
