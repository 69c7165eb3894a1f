"""The doctor's checks, offline: every fault as it was recorded on the lab is judged again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from cephctl.cephx import new_key
from cephctl.cluster.mds import MdsDaemon, single_points
from cephctl.doctor.audit import audited
from cephctl.doctor.check import Topic, load_checks
from cephctl.doctor.gather import load
from cephctl.doctor.report import explanation
from cephctl.doctor.verdict import UNREADABLE, Diagnosis, examine
from cephctl.results import Severity
from tests.command import PROJECT, Cephctl
from tests.lab.faults.fault import NODE, fault_named, names

RECORDINGS = PROJECT / "tests/facts"
KEY = re.compile(r"A[QgwA][A-Za-z0-9+/]{30,}={0,2}")
"""A CephX key in base64: its first byte is its type."""
HEALTHY = RECORDINGS / "healthy.json"
cephctl = Cephctl()


def judged(file: Path) -> Diagnosis:
    return examine(load(str(file)))


def test_every_fault_is_recorded() -> None:
    assert {file.stem for file in RECORDINGS.glob("*.json")} == {*names(), "healthy"}, (
        "run 'make record'"
    )


@pytest.mark.parametrize("name", names())
def test_a_recorded_fault_is_named(name: str) -> None:
    fault = fault_named(name)
    found = judged(RECORDINGS / f"{name}.json")
    if fault.cluster:
        assert fault.code in {each.code for each in found.cluster}
        return
    verdicts = {each.node: each for each in found.nodes}
    mine = verdicts.pop(NODE)
    assert mine.code == fault.code
    assert f"HEALTH_{mine.severity.name}" == fault.severity
    assert {each.code for each in verdicts.values()} == {fault.code if fault.wide else None}


def test_a_recorded_healthy_lab_has_nothing_to_complain_of() -> None:
    found = judged(HEALTHY)
    assert [each.code for each in found.nodes] == [None, None, None]
    assert {each.severity for each in found.cluster} <= {Severity.WARN}
    assert [(each.nodes, each.healthy) for each in found.shards] == [(3, 3)]


@pytest.mark.parametrize("code", load_checks())
def test_every_check_explains_itself(code: str) -> None:
    assert explanation(code.lower()).startswith(f"{code}: ")
    assert len(load_checks()[code].explanation) > 60


def test_list_and_explain() -> None:
    listed = cephctl("node", "doctor", "--list", "-f", "json").json
    assert [each["code"] for each in listed] == [*load_checks(), UNREADABLE]
    shown = cephctl("node", "doctor", "--explain", "client_blocklisted")
    assert shown.status == 0
    assert "cephctl node remount" in shown.stdout


def test_the_facts_hold_no_key() -> None:
    for file in RECORDINGS.glob("*.json"):
        found = [text for text in texts(json.loads(file.read_text())) if KEY.search(text)]
        assert not found, file


def test_a_key_anywhere_in_a_text_would_be_found() -> None:
    key = new_key("aes", 1e9)
    for text in (key, f"name=web,secret={key},noatime", f"[client.web]\n\tkey = {key}"):
        assert [each for each in texts({"a": [text]}) if KEY.search(each)]


def texts(value: object) -> list[str]:
    if isinstance(value, dict):
        return [text for each in value.values() for text in texts(each)]
    if isinstance(value, list):
        return [text for each in value for text in texts(each)]
    return [value] if isinstance(value, str) else []


def test_only_and_skip_choose_checks() -> None:
    evicted = str(RECORDINGS / "evicted.json")
    only = cephctl("node", "doctor", "--from", evicted, "--only", "probe_fails", "-f", "json")
    assert {node["code"] for node in only.json["nodes"]} == {"PROBE_FAILS", None}
    skipped = cephctl(
        "node", "doctor", "--from", evicted, "--skip", "CLIENT_BLOCKLISTED", "-f", "json"
    )
    assert (
        next(node for node in skipped.json["nodes"] if node["node"] == NODE)["code"]
        != "CLIENT_BLOCKLISTED"
    )
    wrong = cephctl("node", "doctor", "--from", evicted, "--only", "CLIENT_BLACKLISTED")
    assert wrong.status == 2
    assert "did you mean CLIENT_BLOCKLISTED" in wrong.stderr


def test_one_node_of_a_file() -> None:
    evicted = str(RECORDINGS / "evicted.json")
    assert cephctl("node", "doctor", "--from", evicted, "web-1-node-0").status == 0
    assert cephctl("node", "doctor", "--from", evicted, NODE).status == 3
    assert cephctl("node", "doctor", "--from", evicted, NODE, "--fail-on", "never").status == 0
    unknown = cephctl("node", "doctor", "--from", evicted, "web-9")
    assert (unknown.status, "no node web-9" in unknown.stderr) == (2, True)


def test_monitoring_gets_one_line_and_its_own_exit_statuses() -> None:
    for name, status, word in (("healthy", 1, "WARNING"), ("evicted", 2, "CRITICAL")):
        shown = cephctl("node", "doctor", "--from", str(RECORDINGS / f"{name}.json"), "--nagios")
        assert (shown.status, shown.stdout.count("\n")) == (status, 1)
        assert shown.stdout.startswith(f"CEPHFS {word}")


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"format": 99}', "not json"])
def test_a_file_without_facts_is_one_clear_line(tmp_path: Path, content: str) -> None:
    file = tmp_path / "facts.json"
    file.write_text(content)
    shown = cephctl("node", "doctor", "--from", str(file))
    assert shown.status == 2
    assert str(file) in shown.stderr


def test_who_holds_a_zombie_is_named_and_restarted() -> None:
    [warning] = next(
        each for each in judged(RECORDINGS / "lazy_umount.json").nodes if each.node == NODE
    ).warnings
    assert any("holder.service) uses /acme" in line for line in warning.node_says)
    assert "systemctl restart holder.service" in str(warning.remedy)


def test_what_people_read_has_no_placeholder_of_a_program() -> None:
    for code in load_checks():
        assert not re.search(r"\{[a-z]+\}", explanation(code)), code
    page = (PROJECT / "man/cephctl-doctor-checks.7").read_text()
    assert not re.search(r"\{[a-z]+\}", page)
    assert "cephctl node remount NODE" in explanation("CLIENT_BLOCKLISTED")


def test_an_audit_is_of_keys_and_says_which_nodes_did_not_answer() -> None:
    codes = set(audited())
    assert {"KEY_MISMATCH", "CAPS_NO_MON", "SECRET_READABLE", "NODE_UNREACHABLE"} <= codes
    assert not {"NODE_CUT_OFF", "NODE_CLOCK_SKEW", "NODE_BLOCKLISTED", "NODE_DIFFERS"} & codes
    assert {check.topic for check in load_checks().values() if check.code in codes} == {
        Topic.KEYS,
        Topic.REACH,
    }


def daemon(name: str, rank: int | None, state: str) -> MdsDaemon:
    return MdsDaemon("cephfs", rank, name, state, None, "10.0.0.1:6800", laggy=False)


def test_a_standby_replay_stands_by_for_its_own_rank_alone() -> None:
    """`mds status` and the doctor say the same of it."""
    daemons = (
        daemon("a", 0, "up:active"),
        daemon("b", 1, "up:active"),
        daemon("c", 0, "up:standby-replay"),
    )
    [finding] = single_points(daemons)
    assert finding.code == "MDS_NO_STANDBY"
    assert "mds.b" in finding.summary
    assert "mds.a" not in finding.summary
    healthy = load(str(HEALTHY))
    facts = replace(healthy, cluster=replace(healthy.cluster, daemons=daemons))
    [same] = [each for each in examine(facts).cluster if each.code == "MDS_NO_STANDBY"]
    assert same.summary == finding.summary


def test_cephs_own_codes_are_the_codes() -> None:
    assert "POOL_NO_REDUNDANCY" in {each.code for each in judged(HEALTHY).cluster}
