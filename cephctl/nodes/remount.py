"""Mount, umount and remount web nodes: first one, then the others, and no further than the first that fails."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from cephctl.config import Node
from cephctl.doctor.gather import Facts
from cephctl.doctor.verdict import Diagnosis, NodeVerdict
from cephctl.doctor.view import NodeFacts, View
from cephctl.errors import CephctlError, Refused
from cephctl.node.holders import is_service
from cephctl.results import Column, Finding, Kind, Record
from cephctl.site import Site, request
from cephctl.ssh.connection import NodeFailed
from cephctl.ssh.hosts import Answer, Question, ask_all

# What would keep the next mount from coming up: with one of these a mount is not taken away.
BLOCKING = frozenset(
    {
        "NODE_CUT_OFF",
        "MON_UNREACHABLE",
        "MON_PORT_BLOCKED",
        "MDS_UNREACHABLE",
        "MON_ADDRESS_STALE",
        "MON_PORT_MISMATCH",
        "CLUSTER_UNREACHABLE",
        "ENTITY_MISSING",
        "CAPS_NO_MON",
        "CAPS_NO_MDS",
        "CAPS_NETWORK",
        "CAPS_FSNAME",
        "KEY_TYPE_REFUSED",
        "KEY_TYPE_UNSUPPORTED",
        "SECRET_MISSING",
        "SECRET_EMPTY",
        "SECRET_IS_KEYRING",
        "SECRET_GARBLED",
        "KEY_MISMATCH",
        "NAME_PREFIXED",
        "NODE_BLOCKLISTED",
        "SESSIONS_REFUSED",
        "MDS_ALL_DOWN",
        "MDS_LAGGY",
        "MDS_SILENT",
        "MDS_DEAD",
        "MDS_RECOVERING",
        "MODULE_MISSING",
        "FS_UNKNOWN",
        "UNIT_MISSING",
        "UNIT_INVALID",
        "OPTION_UNKNOWN",
        "SOURCE_SYNTAX",
    }
)
# Beyond what the kernel takes for a mount: the services' stop and start, three tiers of umount, the probes.
LADDER_SECONDS = 120
MOUNT_SECONDS = 75
VERBS = {"mount": "mounted", "umount": "unmounted", "remount": "remounted"}


@dataclass(frozen=True)
class PlannedStep(Record):
    """One rung of a node's ladder."""

    node: str
    step: str

    columns = (Column("node", "NODE"), Column("step", "STEP"))


@dataclass(frozen=True)
class NodeChange(Record):
    """What became of one node. `state` is "mounted", "not mounted" or "unknown"; `stopped` are services that do not run now."""

    node: str
    result: str
    state: str
    instance_before: str | None
    instance_after: str | None
    session: int | None
    seconds: float
    stopped: tuple[str, ...]
    zombies: tuple[str, ...]
    aside: str | None
    problem: str | None
    steps: tuple[dict[str, Any], ...]

    columns = (
        Column("node", "NODE"),
        Column("result", "RESULT"),
        Column("state", "STATE"),
        Column("instance_after", "CLIENT"),
        Column("session", "SESSION"),
        Column("seconds", "TOOK", Kind.DURATION),
        Column("stopped", "STOPPED"),
        Column("zombies", "ZOMBIES"),
        Column("aside", "SET ASIDE"),
        Column("problem", "PROBLEM"),
    )


@dataclass(frozen=True)
class Order:
    """What was asked for. `force` goes on although a finding says that the mount will not come up."""

    verb: str
    kill: bool = False
    set_aside: bool = False
    force: bool = False


def refusals(order: Order, facts: Facts, found: Diagnosis) -> Iterator[CephctlError]:
    """Why it is not safe now, node by node."""
    for node, verdict in zip(facts.nodes, found.nodes, strict=True):
        if node.failure:
            yield Refused(f"{node.name} cannot be asked: {node.failure['problem']}", verdict.remedy)
        elif order.verb != "umount" and not order.force and (finding := blocking(verdict)):
            hint = (
                f"{finding.remedy}\nor --force to try all the same"
                if finding.remedy
                else "--force tries all the same"
            )
            yield Refused(
                f"{node.name} would not come up again: {finding.code}: {finding.summary}", hint
            )
        elif order.verb == "mount" and View(node, facts.cluster, facts.site).mounts_here:
            yield Refused(
                f"{node.name}: {facts.site.path} is mounted already",
                f"cephctl node remount {node.name}",
            )
        elif order.verb == "umount" and not View(node, facts.cluster, facts.site).mounts_here:
            yield Refused(f"{node.name}: {facts.site.path} is not mounted")
        else:
            yield from held(order, node, facts.site)


def blocking(verdict: NodeVerdict) -> Finding | None:
    findings = [each for each in (verdict.cause, *verdict.consequences, *verdict.warnings) if each]
    return next((each for each in findings if each.code in BLOCKING), None)


def held(order: Order, node: NodeFacts, site: Site) -> Iterator[CephctlError]:
    """Processes of no service hold the mount: somebody's shell, a job. They are ended only when asked for; so are files below."""
    if (
        order.verb != "mount"
        and not order.kill
        and (strangers := [pin for pin in pins_of(node) if not is_service(pin)])
    ):
        names = "; ".join(
            f"{pin['command']} ({pin['pid']}, {pin['unit']}) holds {pin['files'][0]}"
            for pin in strangers
        )
        yield Refused(f"{node.name}: {names}", "end them, or --kill does")
    directory = node.facts.get("directory") or {}
    if order.verb != "umount" and not order.set_aside and directory.get("entries"):
        yield Refused(
            f"{node.name}: {directory['entries']} entries lie in the bare directory {site.path}, which a mount would hide: {', '.join(directory['first'])}",
            f"--set-aside moves them to {site.path}.shadowed-DATE on the same disk",
        )


def pins_of(node: NodeFacts) -> list[Any]:
    found = node.facts.get("pins")
    return [pin for pin in found if pin["mount"] == "live"] if isinstance(found, list) else []


def plan(order: Order, facts: Facts) -> Iterator[PlannedStep]:
    """The ladder of each node, as its facts are now."""
    for node in facts.nodes:
        view = View(node, facts.cluster, facts.site)
        yield from (PlannedStep(node.name, step) for step in rungs(order, view))


def rungs(order: Order, view: View) -> Iterator[str]:
    services = services_of(view)
    if order.verb != "mount" and view.mounts_here:
        if services:
            yield f"stop {' '.join(services)}"
        strangers = [pin for pin in pins_of(view.node) if not is_service(pin)]
        if strangers:
            names = ", ".join(f"{pin['command']} ({pin['pid']})" for pin in strangers)
            yield f"end {names}" if order.kill else f"refuse: {names} holds it"
        yield (
            f"umount {view.site.path}"
            + (f" {len(view.mounts_here)} times" if len(view.mounts_here) > 1 else "")
            + "; forced, then lazily, if it does not go"
        )
        yield f"see client {view.instance} go" if view.instance else "see the old client go"
    if order.verb != "umount":
        if order.set_aside and (view.section("directory") or {}).get("entries"):
            yield f"move what lies in the bare directory to {view.site.path}.shadowed-DATE"
        yield f"systemctl start {view.unit_name}"
        yield "verify: a new client, three probes, an open MDS session"
        if services:
            yield f"start {' '.join(services)}"


def services_of(view: View) -> list[str]:
    """Those that hold the mount, and those that systemd ties to it."""
    tied = [
        each["unit"]
        for each in view.section("dependants") or []
        if {"Requires", "BindsTo"} & set(each["ties"])
    ]
    return sorted({*tied, *(pin["unit"] for pin in pins_of(view.node) if is_service(pin))})


Sessions = Callable[[], Sequence[Any]]


def carry_out(
    order: Order, nodes: Sequence[Node], facts: Facts, sessions: Sessions
) -> Iterator[NodeChange]:
    """Node after node; the first one that fails is the last one."""
    before = {node.name: View(node, facts.cluster, facts.site).instance for node in facts.nodes}
    for node in nodes:
        change = change_one(order, node, facts.site, before[node.name], sessions)
        yield change
        if change.problem:
            return


def change_one(
    order: Order, node: Node, site: Site, before: str | None, sessions: Sessions
) -> NodeChange:
    arguments = request(site, None) | {
        "kill": order.kill,
        "set_aside": order.set_aside,
        "mount_seconds": MOUNT_SECONDS,
    }
    question = Question(
        f"remount.{order.verb}", lambda _: arguments, LADDER_SECONDS + MOUNT_SECONDS
    )
    [(_, answer)] = ask_all([node], question, site.ssh_config)
    if isinstance(answer, NodeFailed):
        nothing = (before, None, None, 0.0, (), (), None)
        return NodeChange(
            node.name,
            "failed",
            "unknown",
            *nothing,
            f"{answer.problem}; it may still be at work there",
            (),
        )
    return verified(order, node, answer, before, sessions)


def verified(
    order: Order, node: Node, answer: Answer, before: str | None, sessions: Sessions
) -> NodeChange:
    """The node's own report, and the cluster's word for it: an open session of the new client."""
    report = answer.value
    client, problem, session = report["client"] or {}, report["problem"], None
    if not problem and order.verb != "umount":
        instance = client.get("instance")
        session = next((each for each in sessions() if each["instance"] == instance), None)
        if instance and (session is None or session["state"] != "open"):
            problem = f"mounted, but no MDS has an open session of {instance}"
    return NodeChange(
        node=node.name,
        result="failed" if problem else VERBS[order.verb],
        state="mounted" if report["mounted"] else "not mounted",
        instance_before=before,
        instance_after=client.get("instance"),
        session=session["id"] if session else None,
        seconds=round(sum(step["seconds"] for step in report["steps"]), 1),
        stopped=tuple(report["stopped"]),
        zombies=tuple(each["instance"] or str(each["id"]) for each in report["zombies"]),
        aside=report["aside"],
        problem=problem,
        steps=tuple(report["steps"]),
    )
