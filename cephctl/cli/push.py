"""cephctl node push"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from cephctl.cli.app import App
from cephctl.config import Node
from cephctl.errors import CephctlError, ExitStatus
from cephctl.nodes.push import FileChange, push, read_credentials, wanted
from cephctl.results import Outcome, Table
from cephctl.site import site_of


def run(app: App, nodes: Sequence[Node]) -> Outcome:
    """Look, show, ask, write."""
    site = site_of(app.config)
    [credentials] = app.ask(partial(read_credentials, site.entity))
    files = wanted(site, credentials)
    changes, errors = parted(push(nodes, site, files, write=False))
    table = Table(FileChange, tuple(changes))
    if not changes or app.dry_run:
        notes = () if changes or errors else ("nothing differs",)
        return Outcome(
            table if changes or not errors else None, status(errors, nodes), tuple(errors), notes
        )
    if not app.yes:
        app.confirm(table, "Write these files?")
    names = {change.node for change in changes}
    written, failed = parted(
        push([node for node in nodes if node.name in names], site, files, write=True)
    )
    return Outcome(
        Table(FileChange, tuple(written)), status([*errors, *failed], nodes), (*errors, *failed)
    )


def parted(answers: object) -> tuple[list[FileChange], list[CephctlError]]:
    changes: list[FileChange] = []
    errors: list[CephctlError] = []
    for answer in answers:  # type: ignore[attr-defined]
        (errors if isinstance(answer, CephctlError) else changes).append(answer)
    return changes, errors


def status(errors: Sequence[CephctlError], nodes: Sequence[Node]) -> ExitStatus:
    if not errors:
        return ExitStatus.OK
    return ExitStatus.UNREACHABLE if len(errors) == len(nodes) else ExitStatus.PARTIAL
