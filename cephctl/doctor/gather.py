"""Gather the facts of both sides at the same time, or read them from a file."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cephctl.config import Node
from cephctl.doctor.cluster_facts import addresses
from cephctl.doctor.view import NodeFacts
from cephctl.errors import CephctlError, Interrupted, Unanswered, UsageError
from cephctl.files import replace, writing
from cephctl.site import Site, request
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Answer, Question, ask_all

FORMAT = 1
ADDRESS_SECONDS = 2.0
"""How long a node that is connected waits for the cluster's addresses before it is asked without them."""
PROBE_SECONDS = 5.0


@dataclass(frozen=True)
class Facts:
    """All that was gathered; the same from a file."""

    site: Site
    cluster: Mapping[str, Any]
    nodes: tuple[NodeFacts, ...]


def gather(
    nodes: Sequence[Node],
    site: Site,
    cluster: Iterator[tuple[str, Any]],
    seconds: float,
    probe: float | None = PROBE_SECONDS,
    **more: Any,
) -> Facts:
    """Ask the cluster and the nodes. `probe` is how many seconds the mount gets to answer; None does not touch it."""
    known: dict[str, Any] = {}
    maps = threading.Event()

    def arguments(node: Node) -> dict[str, Any]:
        maps.wait(ADDRESS_SECONDS)
        return request(site, probe) | {"addresses": addresses(known)} | more

    answers = ask_all(nodes, Question("facts.facts", arguments, seconds), site.ssh_config)
    try:
        for name, value in cluster:
            known[name] = (
                [*known.get(name, ()), *value]
                if name == "sessions" and isinstance(value, list)
                else value
            )
            if name == "osdmap":
                maps.set()
    except (Interrupted, UsageError):
        raise
    except CephctlError as error:
        silent = [line for line in (error.hint or "").splitlines() if "says nothing" in line]
        known |= {
            "error": error.message,
            "hint": error.hint,
            "silence": isinstance(error, Unanswered),
            "silent": silent,
        }
    finally:
        maps.set()
    found = {node.name: node_facts(node, answer) for node, answer in answers}
    return Facts(site, known, tuple(found[node.name] for node in nodes))


def node_facts(node: Node, answer: Answer | NodeFailed) -> NodeFacts:
    if isinstance(answer, NodeFailed):
        failure = {"code": answer.code, "problem": answer.problem, "hint": answer.hint}
        return NodeFacts(node.name, node.shard, node.address, {}, failure=failure)
    # Through JSON, as a file would give it: keys are text.
    return NodeFacts(
        node.name, node.shard, node.address, answer.value, answer.asked, answer.answered
    )


def save(facts: Facts, path: str) -> None:
    """Write facts to a file for `--from`. They hold no key, but names and addresses: it is the owner's to read."""
    document = {"format": FORMAT, **dataclasses.asdict(facts)}
    with writing(path):
        replace(path, json.dumps(document, indent=1, sort_keys=True) + "\n")


def load(path: str) -> Facts:
    """Read what `save` wrote."""
    try:
        with open(path) as file:
            document = json.load(file)
        if document["format"] != FORMAT:
            raise UsageError(
                f"{path} was saved by another version of cephctl (format {document['format']}, this one reads {FORMAT})"
            )
        return Facts(
            Site(**document["site"]),
            document["cluster"],
            tuple(NodeFacts(**each) for each in document["nodes"]),
        )
    except FileNotFoundError:
        raise UsageError(
            f"no file {path}", "'cephctl node doctor --save FILE' writes one"
        ) from None
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}") from None
    except (ValueError, KeyError, TypeError):
        raise UsageError(
            f"{path} holds no facts", "'cephctl node doctor --save FILE' writes them"
        ) from None
