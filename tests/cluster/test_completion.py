"""Tenants' names completed from the live cluster."""

from __future__ import annotations

import signal

from tests.cluster.conftest import Site


def complete(site: Site, words: str) -> tuple[list[str], str]:
    result = site.cephctl(
        _CEPHCTL_COMPLETE="bash_complete", COMP_WORDS=words, COMP_CWORD=str(len(words.split()) - 1)
    )
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line], result.stderr


def test_tenants_are_completed(site: Site) -> None:
    assert complete(site, "cephctl tenant show a") == (["acme"], "")
    assert complete(site, "cephctl tenant quota set sh") == (["shop"], "")
    assert complete(site, "cephctl tenant usage acme bl") == (["blog"], "")


def test_a_frozen_cluster_completes_nothing_silently(site: Site) -> None:
    site.cluster.send("mon.a", signal.SIGSTOP)
    try:
        assert complete(site, "cephctl tenant show a") == ([], "")
    finally:
        site.cluster.send("mon.a", signal.SIGCONT)
