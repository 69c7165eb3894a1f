"""Fail over a rank to a standby MDS."""

from __future__ import annotations

import time
from collections.abc import Generator, Sequence
from dataclasses import dataclass, replace
from functools import partial

from cephctl.ceph.commands import Cluster
from cephctl.ceph.messages import Waiting
from cephctl.cluster.mds import MdsDaemon, all_daemons
from cephctl.deps import Deps
from cephctl.errors import CephctlError, NotFound, Refused
from cephctl.results import Column, Outcome, Proposal, Record, Table
from cephctl.waiting import wait_for

TAKEOVER_SECONDS = 60


@dataclass(frozen=True)
class Failover(Record):
    """A rank, who holds it, and who is to take it over; after the fact, who did, and after how many
    seconds.
    """

    file_system: str | None
    rank: int | None
    before: str
    after: str | None
    seconds: float | None

    columns = (
        Column("file_system", "FILE SYSTEM"),
        Column("rank", "RANK"),
        Column("before", "MDS"),
        Column("after", "TAKEN OVER BY"),
        Column("seconds", "SECONDS"),
    )


def find_rank(whom: str, cluster: Cluster) -> Generator[Failover]:
    """The rank that is meant, by MDS name or rank number, and the standby that would take it
    over.
    """
    daemons = list(all_daemons(cluster.command("fs dump")))
    holders = [
        each
        for each in daemons
        if each.rank is not None
        and each.name
        and each.state not in ("up:standby", "up:standby-replay")
    ]
    mine = [
        each
        for each in holders
        if whom.removeprefix("mds.") == each.name or (whom.isdigit() and each.rank == int(whom))
    ]
    if not mine:
        names = (
            ", ".join(f"mds.{each.name} (rank {each.rank})" for each in holders)
            or "none holds a rank"
        )
        raise NotFound(f"no MDS {whom} that holds a rank", f"there are: {names}")
    if len(mine) > 1:
        raise Refused(
            f"rank {whom} is held in {len(mine)} file systems; name the MDS",
            ", ".join(f"mds.{each.name}" for each in mine),
        )
    yield Failover(
        mine[0].file_system, mine[0].rank, mine[0].name or "", successor(daemons, mine[0]), None
    )


def successor(daemons: Sequence[MdsDaemon], holder: MdsDaemon) -> str | None:
    followers = [
        each
        for each in daemons
        if each.state == "up:standby-replay"
        and (each.file_system, each.rank) == (holder.file_system, holder.rank)
    ]
    spare = [each for each in daemons if each.state == "up:standby"]
    return next((each.name for each in (*followers, *spare)), None)


def fail(rank: Failover, force: bool, cluster: Cluster) -> Generator[Failover]:
    """Fail the MDS, and wait until the rank is active again."""
    if force:
        cluster.command("mds fail", role_or_gid=rank.before, yes_i_really_mean_it=True)
    else:
        cluster.command("mds fail", role_or_gid=rank.before)
    begun = time.monotonic()
    watcher = Watcher(cluster, rank)
    after = wait_for(watcher.look, TAKEOVER_SECONDS, every=0.2)
    seconds = round(time.monotonic() - begun, 1) if after else None
    yield replace(rank, after=after, seconds=seconds)


class Watcher:
    """Looks who is active in a rank. The same MDS may take it again, restarted: then it was away in
    between.
    """

    def __init__(self, cluster: Cluster, rank: Failover) -> None:
        self.cluster = cluster
        self.rank = rank
        self.was_away = False

    def look(self) -> str | None:
        """The name of the MDS that has taken over."""
        self.cluster.report(Waiting(f"rank {self.rank.rank}", "become active again"))
        place = (self.rank.file_system, self.rank.rank)
        active = [
            each.name
            for each in all_daemons(self.cluster.command("fs dump"))
            if each.is_active and (each.file_system, each.rank) == place
        ]
        if active and (self.was_away or active != [self.rank.before]):
            return active[0]
        self.was_away = self.was_away or not active
        return None


def propose(deps: Deps, whom: str, force: bool) -> Proposal:
    """Fail the MDS of a rank. Refused without a standby, unless forced."""
    [rank] = deps.ask(partial(find_rank, whom))
    refused = Refused(
        f"no standby can take over rank {rank.rank} of mds.{rank.before}",
        "start an MDS first; --force fails it anyway",
    )
    return Proposal(
        shown=Table(Failover, (rank,)),
        question=f"Fail mds.{rank.before}?",
        execute=partial(execute, deps, rank, force),
        refused=(refused,) if rank.after is None and not force else (),
    )


def execute(deps: Deps, rank: Failover, force: bool) -> Outcome:
    deps.tell(f"waiting until rank {rank.rank} is active again")
    [done] = deps.ask(partial(fail, rank, force))
    if done.after is not None:
        return Outcome(Table(Failover, (done,)))
    error = CephctlError(
        f"rank {rank.rank} is not active again after a minute", "see 'cephctl mds status'"
    )
    return Outcome(Table(Failover, (done,)), error.status, (error,))
