"""The caps of an entity compared with what a web node needs, and set to it."""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass
from functools import partial

from cephctl.caps import web_caps
from cephctl.ceph.commands import Cluster
from cephctl.ceph.keys import change_caps
from cephctl.cluster.entities import existing
from cephctl.deps import Deps
from cephctl.errors import NotFound
from cephctl.results import Column, Outcome, Proposal, Record, Table


@dataclass(frozen=True)
class CapChange(Record):
    """The caps of one service: as they are, and as a web node needs them. `changed` says whether
    they differ.
    """

    service: str
    before: str | None
    after: str | None
    changed: bool

    columns = (
        Column("service", "SERVICE"),
        Column("before", "BEFORE"),
        Column("after", "AFTER"),
        Column("changed", "DIFFERS"),
    )


def caps_changes(name: str, wanted: dict[str, str], cluster: Cluster) -> Generator[CapChange]:
    """Service by service, all that are there and all that are wanted."""
    before = existing(name, cluster).caps
    for service in dict.fromkeys([*wanted, *before]):
        now, then = before.get(service), wanted.get(service)
        yield CapChange(service, now, then, now != then)


def template(root: str, filesystem: str | None, cluster: Cluster) -> Generator[dict[str, str]]:
    """One answer: the caps of an entity that mounts one directory of one file system, by service;
    no more, and no service less.
    """
    names = [str(each["name"]) for each in cluster.command("fs ls")]
    name = filesystem or (names[0] if len(names) == 1 else None)
    if name is None or name not in names:
        there = ", ".join(names) or "none"
        raise NotFound(
            f"no file system {name}" if name else f"there are {len(names)} file systems: {there}",
            "set 'filesystem' in cephctl.toml",
        )
    yield web_caps(name, root)


def compare(deps: Deps, name: str) -> Table[CapChange]:
    """Service by service, as it is and as a web node needs it."""
    [wanted] = deps.ask(partial(template, deps.site.root, deps.site.file_system))
    return Table(CapChange, tuple(deps.ask(partial(caps_changes, name, wanted))))


def propose(deps: Deps, name: str) -> Proposal:
    """All services are written at once: `auth caps` deletes those it is not told of."""
    plan = compare(deps, name)

    def execute() -> Outcome:
        wanted = {row.service: row.after for row in plan.rows if row.after}
        list(deps.ask(partial(change_caps, name, wanted)))
        return Outcome(
            plan, notes=("live sessions keep their old caps: cephctl node remount --all",)
        )

    if not any(row.changed for row in plan.rows):
        nothing = Outcome(None, notes=("nothing differs",))
        return Proposal(None, "", execute, otherwise=nothing)
    return Proposal(plan, f"Set the caps of {name}?", execute)
