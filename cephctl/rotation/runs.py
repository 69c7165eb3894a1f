"""The runs of this machine, for people and scripts to read."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime

from cephctl.results import Column, Kind, Record
from cephctl.rotation.journal import Entry, Journal, journals, state_of


@dataclass(frozen=True)
class RunRow(Record):
    """A run of this machine, and where it stands."""

    run: str
    state: str
    entity: str
    strategy: str
    nodes: tuple[str, ...]
    operator: str
    began: datetime
    last: str

    columns = (
        Column("run", "RUN"),
        Column("state", "STATE"),
        Column("entity", "ENTITY"),
        Column("strategy", "STRATEGY"),
        Column("began", "BEGAN", Kind.AGO),
        Column("operator", "OPERATOR"),
        Column("last", "LAST STEP"),
    )


@dataclass(frozen=True)
class EntryRow(Record):
    """One entry of a run's journal. `seconds` and `gap_ms` are of a step that is done, `gap_ms` of
    a switch.
    """

    at: datetime
    step: str
    event: str
    seconds: float | None
    gap_ms: float | None
    detail: str

    columns = (
        Column("at", "AT", Kind.TIME),
        Column("step", "STEP"),
        Column("event", "EVENT"),
        Column("seconds", "DURATION", Kind.DURATION),
        Column("detail", "DETAIL"),
    )


@dataclass(frozen=True)
class RunDetail(Record):
    """A run and its journal. `old_key` is the fingerprint of the key that it replaces; `kept` the
    file that keeps that key.
    """

    run: str
    state: str
    entity: str
    other: str
    strategy: str
    nodes: tuple[str, ...]
    skipped: tuple[str, ...]
    operator: str
    host: str
    began: str
    old_key: str
    kept: str | None
    journal: tuple[EntryRow, ...]

    columns = (
        Column("run", "RUN"),
        Column("state", "STATE"),
        Column("entity", "ENTITY"),
        Column("strategy", "STRATEGY"),
        Column("nodes", "NODES"),
        Column("skipped", "SKIPPED"),
        Column("operator", "OPERATOR"),
        Column("host", "HOST"),
        Column("began", "BEGAN"),
        Column("old_key", "OLD KEY"),
        Column("kept", "KEPT IN"),
    )
    sections = (("journal", EntryRow),)


def list_runs(directory: str) -> tuple[RunRow, ...]:
    """All runs of this machine, the oldest first."""
    return tuple(row_of(each) for each in journals(directory))


def row_of(journal: Journal) -> RunRow:
    plan, entries = journal.read()
    steps = [entry for entry in entries if entry.kind]
    began = datetime.strptime(plan.began, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    return RunRow(
        plan.run,
        state_of(journal, entries),
        plan.entity,
        plan.strategy,
        plan.nodes,
        plan.who,
        began,
        f"{steps[-1].step} {steps[-1].event}" if steps else "-",
    )


def show_run(journal: Journal) -> RunDetail:
    plan, entries = journal.read()
    return RunDetail(
        plan.run,
        state_of(journal, entries),
        plan.entity,
        plan.other,
        plan.strategy,
        plan.nodes,
        tuple(f"{node}: {reason}" for node, reason in plan.skipped.items()),
        plan.operator,
        plan.host,
        plan.began,
        plan.old.fingerprint,
        journal.keyring if journal.kept_key() else None,
        tuple(map(entry_row, entries)),
    )


def entry_row(entry: Entry) -> EntryRow:
    at = datetime.fromtimestamp(entry.at, UTC)
    return EntryRow(at, entry.step, entry.event, entry.seconds, entry.gap_ms, entry.detail)
