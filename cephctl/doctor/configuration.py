"""Test what the configuration says: the cluster, the file system, the tenants' root, the web
nodes.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from cephctl.cluster.entities import show_caps
from cephctl.cluster.sessions import read_sessions
from cephctl.cluster.status import read_status
from cephctl.deps import Deps
from cephctl.doctor.check import Layer, load_checks
from cephctl.doctor.gather import Looks, gather
from cephctl.doctor.verdict import judge
from cephctl.doctor.view import View
from cephctl.errors import CephctlError, Interrupted
from cephctl.results import Finding, Severity


def problems(deps: Deps, list_tenants: Callable[[], Iterator[object]]) -> Iterator[Finding]:
    """Each problem as one finding, with the next step."""
    if not deps.nodes:
        yield Finding(
            "CONFIG_NO_NODES",
            Severity.WARN,
            "there are no web nodes in the inventory",
            ("add [nodes.NAME] with address and shard to cephctl.toml",),
        )
    yield from cluster_problems(deps, list_tenants)
    yield from node_problems(deps)


def cluster_problems(deps: Deps, list_tenants: Callable[[], Iterator[object]]) -> Iterator[Finding]:
    """The first thing that does not work; the others could fail for the same reason."""
    trials: dict[str, Callable[[], Iterator[object]]] = {
        "CONFIG_CLUSTER": lambda: deps.ask(read_status),
        "CONFIG_MDS": lambda: deps.ask(partial(read_sessions, deps.nodes, ())),
        "CONFIG_TENANTS": list_tenants,
        "CONFIG_ENTITY": lambda: deps.ask(partial(show_caps, deps.site.entity)),
    }
    for code, trial in trials.items():
        try:
            deque(trial(), maxlen=0)
        except Interrupted:
            raise
        except CephctlError as error:
            yield Finding(code, Severity.ERR, error.message, tuple((error.hint or "").splitlines()))
            return


def node_problems(deps: Deps) -> Iterator[Finding]:
    """Web nodes that do not answer. `node doctor` examines their mounts."""
    facts = gather(deps, deps.nodes, Looks(probe=None, cluster=False))
    checks = [check for check in load_checks().values() if check.layer is Layer.REACH]
    for node in facts.nodes:
        for found in judge(View(node, facts.cluster, facts.site), checks):
            summary = f"{node.name}: {found.finding.summary}"
            yield replace(found.finding, severity=Severity.WARN, summary=summary)
