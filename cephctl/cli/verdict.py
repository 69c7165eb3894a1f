"""When findings make a command fail."""

from __future__ import annotations

from collections.abc import Iterable

import click

from cephctl.errors import ExitStatus
from cephctl.model import Finding, Severity

THRESHOLDS = {"warn": Severity.WARN, "err": Severity.ERR}
FAIL_ON = click.option(
    "--fail-on",
    type=click.Choice([*THRESHOLDS, "never"]),
    default="err",
    show_default=True,
    help="Exit with 3 when a finding is at least this bad.",
)


def status_of_findings(findings: Iterable[Finding], fail_on: str) -> ExitStatus:
    threshold = THRESHOLDS.get(fail_on)
    worst = max((finding.severity for finding in findings), default=Severity.OK)
    return ExitStatus.FINDINGS if threshold is not None and worst >= threshold else ExitStatus.OK
