"""Every fault, for real: brought about, diagnosed from both sides, mended with the command that was
printed.
"""

from __future__ import annotations

import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.lab.conftest import Lab
from tests.lab.faults.fault import NODE, Fault, Scene, fault_named, names
from tests.lab.platform import running_release
from tests.lab.shell import LabError

RECORDINGS = Path(os.environ["CEPHCTL_RECORD"]) if "CEPHCTL_RECORD" in os.environ else None

# Of each kind one, so that `make test` ends within the hour; `make faults` plays them all.
SAMPLE = frozenset(
    [
        "cable_cut",
        "host_key_changed",
        "sudo_refused",
        "monitors_blocked",
        "entity_deleted",
        "key_changed_mon_restarted",
        "key_pending",
        "secret_is_keyring",
        "evicted",
        "all_evicted",
        "sessions_refused",
        "mds_frozen",
        "osd_frozen",
        "mon_frozen",
        "shadowed_files",
        "lazy_umount",
        "unit_missing",
        "clock_behind",
    ]
)
FAULTS = [
    pytest.param(name, marks=() if name in SAMPLE else pytest.mark.matrix) for name in names()
]


pytestmark = pytest.mark.both


@pytest.fixture(scope="module")
def healthy(platform_up: Lab) -> Lab:
    scene = Scene(platform_up)
    scene.restore()
    scene.wait_until_healthy()
    return platform_up


@pytest.fixture
def scene(healthy: Lab) -> Scene:
    played = Scene(healthy)
    played.set_clocks()
    return played


@pytest.mark.parametrize("name", FAULTS)
def test_fault_is_named_and_its_remedy_mends_it(scene: Scene, name: str, tmp_path: Path) -> None:
    fault = fault_named(name)
    if running_release() not in fault.releases:
        pytest.skip(f"a fault of {', '.join(fault.releases)}")
    try:
        play(scene, fault, (RECORDINGS or tmp_path) / f"{name}.json")
    except (AssertionError, LabError):
        scene.restore()
        raise


def play(scene: Scene, fault: Fault, facts: Path) -> None:
    """Bring the fault about, have it diagnosed, run the remedy, and see the lab healthy again."""
    fault.inject(scene)
    found = scene.doctor("--save", str(facts))
    finding = named(fault, found.json)
    assert finding["severity"] == fault.severity, found.stdout
    assert found.status == fault.status, found.stdout
    if fault.heal:
        fault.heal(scene)
    else:
        assert finding["remedy"], found.stdout
        scene.remedy(finding["remedy"])
        mend_others(scene, found.json)
    if fault.after:
        fault.after(scene)
    scene.wait_until_healthy(*(() if fault.wide or fault.cluster else (NODE,)))
    scene.keep_key()


def named(fault: Fault, found: Any) -> Any:
    """The finding that must be there, where it must be; no node that is well is accused."""
    if fault.cluster:
        return next(
            (each for each in found["cluster"] if each["code"] == fault.code),
            {"severity": f"not found in {found['cluster']}"},
        )
    verdicts = {each["node"]: each for each in found["nodes"]}
    mine = verdicts.pop(NODE)
    assert mine["code"] == fault.code, mine
    for other in verdicts.values():
        assert other["code"] == (fault.code if fault.wide else None), other
    return mine


def mend_others(scene: Scene, found: Any) -> None:
    """A remedy that is one node's is run for each; at the same time, for the others have been
    mended once already.
    """
    others = [
        each["remedy"]
        for each in found["nodes"]
        if each["node"] != NODE and each["node"] in (each["remedy"] or "")
    ]
    with ThreadPoolExecutor() as pool:
        list(pool.map(scene.remedy, others))


def test_a_healthy_lab_has_nothing_to_complain_of(healthy: Lab, tmp_path: Path) -> None:
    Scene(healthy).set_clocks()
    for _ in range(10):
        file = (RECORDINGS or tmp_path) / "healthy.json"
        found = healthy.cephctl("node", "doctor", "-f", "json", "--save", str(file))
        assert found.status == 0, found.stdout
        for node in found.json["nodes"]:
            assert (node["severity"], node["warnings"]) == ("HEALTH_OK", []), node
        assert {each["severity"] for each in found.json["cluster"]} <= {"HEALTH_WARN"}, found.json[
            "cluster"
        ]
