"""No key of the cluster ever leaves cephctl, whatever happens."""

from __future__ import annotations

import base64
import re
import signal

from tests.cluster import commands
from tests.cluster.conftest import Site
from tests.command import Result

MORE = (
    ("config", "show"),
    ("config", "check"),
    ("config", "init", "--dry-run"),
    ("tenant", "show", "nosuch"),
    ("tenant", "quota", "set", "acme", "1", "--yes"),
    ("--help",),
)


def secrets(site: Site) -> set[str]:
    """Every key the cluster has, in every form it could be printed in."""
    found: set[str] = set()
    for entity in site.cluster.json("auth", "ls")["auth_dump"]:
        raw = base64.b64decode(entity["key"])[12:]
        found |= {
            entity["key"],
            entity["key"].rstrip("="),
            raw.hex(),
            repr(raw)[2:-1],
            base64.b64encode(raw).decode(),
        }
    return found


def check(site: Site, results: list[Result]) -> None:
    known = secrets(site)
    assert len(known) > 20
    for result in results:
        assert not [secret for secret in known if secret in result.output]
        assert not re.search(r"AQ[A-Za-z0-9+/]{20,}==", result.output)


def test_no_output_has_a_key(site: Site) -> None:
    runs = [site.cephctl(*command, "--debug") for command in (*commands.ALL, *MORE)]
    runs += [site.cephctl(*command, "--debug", "-f", "json") for command in commands.ALL]
    check(site, runs)


def test_no_failure_has_a_key(site: Site) -> None:
    mds = site.cluster.active_mds()
    site.cluster.send(mds, signal.SIGSTOP)
    try:
        runs = [site.cephctl(*command, "--debug", "--timeout", "1") for command in commands.ALL[:5]]
    finally:
        site.cluster.send(mds, signal.SIGCONT)
    check(site, runs)
