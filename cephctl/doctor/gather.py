"""Gather the facts of both sides at the same time, or read them from a file."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, fields
from functools import partial

from cephctl.config import Node
from cephctl.deps import Deps
from cephctl.doctor.cluster_facts import (
    ClusterFacts,
    ClusterFailure,
    addresses,
    read_facts,
)
from cephctl.doctor.facts import Answer, Failure, NodeFacts
from cephctl.errors import CephctlError, Interrupted, Unanswered, UsageError
from cephctl.files import replace, writing
from cephctl.parse import Json, Malformed, Unreadable, parse, to_json
from cephctl.site import Site, request
from cephctl.ssh import hosts
from cephctl.ssh.connection import NodeFailed

FORMAT = 2
ADDRESS_SECONDS = 2.0
"""How long a node that is connected waits for the cluster's addresses before it is asked without
them.
"""
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Facts:
    """All that was gathered; the same from a file."""

    site: Site
    cluster: ClusterFacts
    nodes: tuple[NodeFacts, ...]


@dataclass(frozen=True)
class Looks:
    """What to look at: the mounts (`probe` is how many seconds they get to answer; None does not
    access them), the processes that keep them busy, the cluster, its MDS sessions.
    """

    probe: float | None = PROBE_SECONDS
    holders: bool = False
    cluster: bool = True
    sessions: bool = True


def gather(deps: Deps, nodes: Sequence[Node], looks: Looks = Looks()) -> Facts:
    """Ask the cluster and the nodes. Only Ctrl-C and wrong usage are raised: all else is a fact."""
    known: dict[str, Json] = {}
    maps = threading.Event()

    def arguments(node: Node) -> dict[str, Json]:
        maps.wait(ADDRESS_SECONDS if looks.cluster else 0)
        places = addresses(known.get("monmap"), known.get("daemons", ()), known.get("osdmap"))
        return request(deps.site, looks.probe) | {"addresses": places, "holders": looks.holders}

    deps.tell(f"examining {nodes[0].name if len(nodes) == 1 else f'{len(nodes)} nodes'}")
    answers = deps.ask_nodes(nodes, hosts.Question("facts.facts", arguments, deps.seconds))
    failure = None
    try:
        for name, value in cluster_answers(deps, looks):
            known[name] = value
            if name == "osdmap":
                maps.set()
    except (Interrupted, UsageError):
        raise
    except CephctlError as error:
        failure = failure_of(error)
    finally:
        maps.set()
    found = {node.name: node_facts(node, answer) for node, answer in answers}
    return Facts(
        deps.site, cluster_facts(known, failure), tuple(found[node.name] for node in nodes)
    )


def cluster_answers(deps: Deps, looks: Looks) -> Iterator[tuple[str, Json]]:
    if not looks.cluster:
        return iter(())
    return deps.ask(partial(read_facts, deps.site.entity, deps.nodes, looks.sessions))


def failure_of(error: CephctlError) -> ClusterFailure:
    silent = error.silent if isinstance(error, Unanswered) else ()
    return ClusterFailure(error.message, error.hint, isinstance(error, Unanswered), silent)


def cluster_facts(known: dict[str, Json], failure: ClusterFailure | None) -> ClusterFacts:
    """The sections that came; the others are unreadable for the reason that the cluster failed
    with.
    """
    if failure:
        sections = [field.name for field in fields(ClusterFacts) if field.name != "failure"]
        known = {name: Unreadable(failure.message) for name in sections} | known
    return ClusterFacts(**known, failure=failure)


def node_facts(node: Node, answer: hosts.Answer | NodeFailed) -> NodeFacts:
    """A node's answer, typed; one that is not what the node program sends is a failure of that
    node.
    """
    name, shard, address = node.name, node.shard, node.address
    if isinstance(answer, NodeFailed):
        failure = Failure(answer.code, answer.problem, answer.hint, answer.remedy)
        return NodeFacts(name, shard, address, failure=failure)
    try:
        facts = parse(Answer, answer.value)
    except Malformed as error:
        failure = Failure("NODE_ANSWER_INVALID", f"its answer is invalid: {error}")
        return NodeFacts(name, shard, address, failure=failure)
    return NodeFacts(name, shard, address, facts, answer.asked, answer.answered)


def save(facts: Facts, path: str) -> None:
    """Write facts to a file for `--from`. They contain no key, but names and addresses: only the
    owner may read it.
    """
    document = {"format": FORMAT, **to_json(facts)}
    with writing(path):
        replace(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def load(path: str) -> Facts:
    """Read what `save` wrote. UsageError names the file, and the path of what is wrong in it."""
    try:
        with open(path, encoding="utf-8") as file:
            document = json.load(file)
    except FileNotFoundError:
        raise UsageError(
            f"no file {path}", "'cephctl node doctor --save FILE' writes one"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, RecursionError) as error:
        raise UsageError(
            f"{path}: not valid JSON: {error}", "'cephctl node doctor --save FILE' writes a new one"
        ) from None
    version = document.get("format") if isinstance(document, dict) else None
    if version != FORMAT:
        known = "it has no format version" if version is None else f"format {version}"
        raise UsageError(
            f"{path}: not saved by this version of cephctl ({known}, expected {FORMAT})",
            "'cephctl node doctor --save FILE' writes a new one",
        )
    try:
        return parse(Facts, document)
    except Malformed as error:
        raise UsageError(f"{path}: {error}") from None
