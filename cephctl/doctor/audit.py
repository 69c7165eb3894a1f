"""Only the checks of keys and caps: what `keys audit` runs."""

from __future__ import annotations

from collections.abc import Sequence

from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.check import Topic, load_checks
from cephctl.doctor.gather import gather
from cephctl.doctor.verdict import Diagnosis, examine


def audited() -> list[str]:
    """The codes of the checks about keys, and of those that say which node did not answer."""
    topics = (Topic.KEYS, Topic.REACH)
    return [code for code, check in load_checks().items() if check.topic in topics]


def audit_keys(deps: Deps, nodes: Sequence[Node]) -> Diagnosis:
    return examine(gather(deps, nodes), only=audited())
