"""The cluster's health checks as findings."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from cephctl.results import Finding, Severity

SEVERITIES = {"HEALTH_OK": Severity.OK, "HEALTH_WARN": Severity.WARN, "HEALTH_ERR": Severity.ERR}


def findings(health: Any) -> Iterator[Finding]:
    """What `health detail` says, under Ceph's own codes, worst first. Muted checks are left out, as `ceph -s` does."""
    checks = sorted(
        health["checks"].items(), key=lambda item: (-SEVERITIES[item[1]["severity"]], item[0])
    )
    for code, check in checks:
        if not check.get("muted"):
            detail = tuple(line["message"] for line in check.get("detail", ()))
            yield Finding(code, SEVERITIES[check["severity"]], check["summary"]["message"], detail)
