"""Ceph's health checks, typed, and as findings under Ceph's own codes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from cephctl.parse import Json
from cephctl.results import Finding, Severity

SEVERITIES = {"HEALTH_OK": Severity.OK, "HEALTH_WARN": Severity.WARN, "HEALTH_ERR": Severity.ERR}
Word = Literal["HEALTH_OK", "HEALTH_WARN", "HEALTH_ERR"]


@dataclass(frozen=True)
class HealthCheck:
    """One check of `ceph health detail`."""

    severity: Word
    summary: str
    detail: tuple[str, ...]
    muted: bool


@dataclass(frozen=True)
class Health:
    """The cluster's health; `checks` by Ceph's code."""

    status: Word
    checks: Mapping[str, HealthCheck]


def health_of(answer: Json) -> Health:
    """From `health detail`."""
    checks = {
        code: HealthCheck(
            check["severity"],
            check["summary"]["message"],
            tuple(line["message"] for line in check.get("detail", ())),
            bool(check.get("muted")),
        )
        for code, check in answer["checks"].items()
    }
    return Health(answer["status"], checks)


def findings(health: Health) -> Iterator[Finding]:
    """The checks under Ceph's own codes, worst first. Muted ones are left out, as `ceph -s`
    does.
    """
    checks = sorted(
        health.checks.items(), key=lambda item: (-SEVERITIES[item[1].severity], item[0])
    )
    for code, check in checks:
        if not check.muted:
            yield Finding(code, SEVERITIES[check.severity], check.summary, check.detail)
