"""What must hold before a key is rotated. Whatever does not is a refusal, and nothing is
changed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from cephctl.ceph.keys import Entity
from cephctl.cluster.sessions import MdsSession
from cephctl.config import Node
from cephctl.doctor.cluster_facts import ClusterFacts
from cephctl.doctor.gather import Facts
from cephctl.doctor.verdict import Diagnosis, blocks_rotation
from cephctl.doctor.view import View
from cephctl.errors import CephctlError, NotFound, Refused
from cephctl.nodes.remount import Order, busy
from cephctl.parse import Unreadable
from cephctl.results import Severity
from cephctl.rotation.answers import NodeLook
from cephctl.units import version_numbers

SPACE_NEEDED = 1 << 20


@dataclass(frozen=True)
class Request:
    """What was asked for. `skipped` are nodes left out, with the reason."""

    entity: str
    strategy: str
    compromised: bool = False
    really: bool = False
    key_type: str = "auto"
    skipped: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Observed:
    """What was seen: both sides' facts and the verdict on them, the entities, all sessions, the
    nodes' own look at their files.
    """

    facts: Facts
    found: Diagnosis
    entity: Entity | None
    other: Entity | None
    sessions: Sequence[MdsSession]
    looks: Mapping[str, NodeLook]
    out_of_service: Mapping[str, str | None]


def misused(request: Request, mounted_as: str, login: str) -> CephctlError | None:
    """What can be said of an entity's name alone."""
    kind, _, name = request.entity.partition(".")
    if not name or not re.fullmatch(r"[\w.\-]+", name):
        return NotFound(
            f"'{request.entity}' is not an entity", f"write it as client.NAME, such as {mounted_as}"
        )
    if kind != "client":
        return Refused(
            f"{request.entity} is a daemon's key; rotate it with the orchestrator",
            f"ceph orch daemon rotate-key {request.entity}",
        )
    if request.entity == "client.admin" and not request.really:
        return Refused(
            "client.admin is the key of last resort", "--yes-i-really-mean-it rotates it anyway"
        )
    if request.entity == login:
        return Refused(
            f"{login} is the entity that cephctl is logged in as",
            "log in as another one: -n ENTITY",
        )
    if request.entity != mounted_as:
        return Refused(
            f"{request.entity} is not the entity that the web nodes mount as ({mounted_as})",
            "see 'entity' of [mount] in cephctl.toml",
        )
    return None


def refusals(
    request: Request, other: str, nodes: Sequence[Node], seen: Observed
) -> Iterator[CephctlError]:
    """All reasons not to begin."""
    if seen.entity is None:
        yield NotFound(f"the cluster has no entity {request.entity}", "see 'cephctl keys list'")
        return
    if seen.entity.pending:
        yield Refused(
            (
                f"{request.entity} has a pending key, which the next login with a wrong key "
                "makes the only one"
            ),
            f"ceph auth clear-pending {request.entity}",
        )
    if seen.other and request.strategy != "in-place":
        hint = f"when no session uses it: ceph auth rm {other}"
        yield Refused(f"{other}, which this would create, already exists", hint)
    yield from cluster_refusals(seen)
    yield from node_refusals(seen)
    yield from session_refusals(request, nodes, seen)


def cluster_refusals(seen: Observed) -> Iterator[CephctlError]:
    cluster = seen.facts.cluster
    if cluster.failure:
        yield Refused(
            f"the cluster could not be examined: {cluster.failure.message}", cluster.failure.hint
        )
    for finding in seen.found.cluster:
        if finding.severity is Severity.ERR:
            yield Refused(f"{finding.code}: {finding.summary}", finding.remedy)
    monitors = () if isinstance(cluster.monmap, Unreadable) else cluster.monmap.monitors
    away = [each.name for each in monitors if not each.in_quorum]
    if away:
        yield Refused(
            f"mon.{' and mon.'.join(away)} is not in quorum", "see 'cephctl cluster status'"
        )


def node_refusals(seen: Observed) -> Iterator[CephctlError]:
    cluster = seen.facts.cluster
    for node, verdict in zip(seen.facts.nodes, seen.found.nodes, strict=True):
        if node.failure:
            yield Refused(
                f"{node.name} does not answer: {node.failure.problem}", leaving_out(node.name)
            )
            continue
        if finding := next(filter(blocks_rotation, verdict.findings), None):
            yield Refused(
                f"{node.name}: {finding.code}: {finding.summary}",
                finding.remedy or f"cephctl node doctor {node.name}",
            )
        yield from busy(Order("umount"), View(node, cluster, seen.facts.site), "end them first")
        look = seen.looks.get(node.name)
        if look and look.free is not None and look.free < SPACE_NEEDED:
            yield Refused(
                f"{node.name}: no space left for the key's files ({look.free} bytes)",
                "make room in /etc/ceph",
            )
        if reason := seen.out_of_service.get(node.name):
            yield Refused(
                reason,
                "bring it back into service first; a node is taken out only when another one is up",
            )


def leaving_out(node: str) -> str:
    return f"fix it, or leave it out: --skip {node} --reason TEXT"


def session_refusals(
    request: Request, nodes: Sequence[Node], seen: Observed
) -> Iterator[CephctlError]:
    """Whoever uses the key and is not rolled would be locked out, or would keep the old key
    alive.
    """
    using = [session for session in seen.sessions if session.entity == request.entity]
    names = {node.name for node in nodes}
    if not using and not request.compromised:
        yield Refused(
            f"no MDS session uses {request.entity}",
            "mount the nodes first: cephctl node mount --all",
        )
    if request.compromised:
        return
    for session in using:
        if session.node is None:
            yield Refused(
                f"{session} uses {request.entity} and is not in the inventory",
                "add it to cephctl.toml, or end its mount; if the key was stolen: --compromised",
            )
        elif session.node not in names:
            yield Refused(
                f"{session} uses {request.entity}, but is in --skip",
                "unmount it first",
            )


def type_of_key(request: Request, facts: Facts, looks: Mapping[str, NodeLook]) -> str:
    """The best type that the cluster allows and every node can use. Refused when there is none."""
    allowed = allowed_types(facts.cluster)
    unable = [name for name, look in looks.items() if not can_use_aes256k(look)]
    if request.key_type != "auto":
        if request.key_type not in allowed:
            raise Refused(
                f"the cluster does not allow {request.key_type} keys, only "
                f"{', '.join(sorted(allowed))}"
            )
        if request.key_type == "aes256k" and unable:
            raise Refused(
                f"{', '.join(unable)} cannot use aes256k keys",
                "they need Linux 7.0 and ceph-common 19.2.6 or 20.2.4",
            )
        return request.key_type
    if "aes256k" in allowed and not unable:
        return "aes256k"
    if "aes" not in allowed:
        raise Refused(
            f"the cluster allows {', '.join(sorted(allowed))} keys only, which "
            f"{', '.join(unable)} cannot use"
        )
    return "aes"


def allowed_types(cluster: ClusterFacts) -> frozenset[str]:
    monmap = cluster.monmap
    return frozenset(("aes",)) if isinstance(monmap, Unreadable) else monmap.key_types


def can_use_aes256k(look: NodeLook) -> bool:
    """Kernel 7.0, and a mount.ceph that can read the key.

    >>> can_use_aes256k(NodeLook((), False, None, "7.1.2", "20.2.4-1"))
    True
    >>> can_use_aes256k(NodeLook((), False, None, "6.1.0", None))
    False
    """
    helper = [int(number) for number in re.findall(r"\d+", look.ceph_common or "")[:3]]
    newest = helper >= [20, 2, 4] or [19, 2, 6] <= helper < [20]
    return version_numbers(look.kernel) >= (7, 0) and newest


def warnings(request: Request, has_haproxy: bool) -> Iterator[str]:
    """What the operator should know before saying yes."""
    if request.strategy == "in-place":
        yield (
            "in-place: until a node is switched, its mount uses a key that no longer exists; a "
            "restart of its monitor then makes it hang"
        )
    if not has_haproxy:
        yield (
            "no HAProxy is configured: nodes are switched under load, with a gap of some "
            "milliseconds each"
        )
    if request.skipped:
        yield (
            "skipped nodes keep the old key in their files: 'cephctl node push' them when they "
            "are back"
        )
