"""Keys and caps, looked at and changed."""

from __future__ import annotations

import stat
from pathlib import Path

import pytest

from tests.cluster.conftest import Site
from tests.command import Cephctl, Result

WANTED = {"mon": "allow r", "osd": "allow rw tag cephfs data=cephfs", "mds": "allow rw"}


@pytest.fixture
def admin(site: Site) -> Cephctl:
    cephctl = site.cephctl

    class Admin(Cephctl):
        def __call__(self, *arguments: str, **environment: str) -> Result:
            login = ("-n", "client.admin", "-k", str(site.cluster.keyring("client.admin")))
            return super().__call__(*login, *arguments, **environment)

    return Admin(cephctl.environment, cephctl.enter)


def caps(site: Site, entity: str) -> dict[str, str]:
    [found] = site.cluster.json("auth", "get", entity)
    return dict(found["caps"])


def test_the_list_has_every_client_and_the_operators_only_the_web_nodes(
    site: Site, admin: Cephctl
) -> None:
    entities = {row["entity"] for row in admin("keys", "list", "-f", "json").json}
    assert {"client.admin", "client.web", "client.cephctl"} <= entities
    assert all(name.startswith("client.") for name in entities)
    assert "osd.0" in {row["entity"] for row in admin("keys", "list", "--all", "-f", "json").json}
    mine = site.cephctl("keys", "list", "-f", "json")
    assert [row["entity"] for row in mine.json] == ["client.web"]
    assert "may not run 'auth ls'" in mine.stderr


def test_an_unknown_entity_gets_near_names(admin: Cephctl) -> None:
    for command in (
        ("keys", "show"),
        ("keys", "caps", "show"),
        ("keys", "caps", "diff"),
        ("keys", "caps", "apply", "--yes"),
    ):
        unknown = admin(*command, "client.wbe")
        assert (unknown.status, unknown.stdout) == (1, "")
        assert "client.web" in unknown.stderr


def test_caps_are_set_whole(site: Site, admin: Cephctl) -> None:
    site.cluster.ceph("auth", "get-or-create", "client.part", "mds", "allow rwp", "mgr", "allow r")
    shown = admin("keys", "caps", "diff", "client.part", "-f", "json").json
    assert {row["service"]: row["after"] for row in shown} == {**WANTED, "mgr": None}
    assert all(row["changed"] for row in shown)
    assert admin("keys", "caps", "apply", "client.part", "--dry-run").status == 0
    assert caps(site, "client.part") == {"mds": "allow rwp", "mgr": "allow r"}
    done = admin("keys", "caps", "apply", "client.part", "--yes")
    assert done.status == 0, done.stderr
    assert "remount" in done.stderr
    assert caps(site, "client.part") == WANTED
    assert "nothing differs" in admin("keys", "caps", "apply", "client.part", "--yes").stderr


def test_an_operator_without_the_right_is_told_which(site: Site) -> None:
    refused = site.cephctl("keys", "caps", "apply", "client.web", "--yes")
    assert refused.status == 1
    assert "it lacks mon 'allow command \"auth caps\"'" in refused.stderr
    assert "-n client.admin" in refused.stderr


def test_a_key_goes_to_a_file_or_out_when_that_is_said(
    site: Site, admin: Cephctl, tmp_path: Path
) -> None:
    key = site.cluster.ceph("auth", "get-key", "client.web").strip()
    ring, bare = tmp_path / "ring", tmp_path / "bare"
    done = admin("keys", "export", "client.web", "-o", str(ring))
    assert done.status == 0, done.stderr
    assert key not in done.output
    assert ring.read_text() == f"[client.web]\n\tkey = {key}\n"
    assert stat.S_IMODE(ring.stat().st_mode) == 0o600
    assert admin("keys", "export", "client.web", "--format", "secret", "-o", str(bare)).status == 0
    assert bare.read_text() == f"{key}\n"
    again = admin("keys", "export", "client.web", "-o", str(ring))
    assert (again.status, "already exists" in again.stderr) == (6, True)
    assert admin("keys", "export", "client.web").status == 2
    assert (
        admin("keys", "export", "client.web", "--format", "secret", "--stdout").stdout == f"{key}\n"
    )


def test_runs_of_nobody(admin: Cephctl, tmp_path: Path) -> None:
    where = {"CEPHCTL_RUNS_DIRECTORY": str(tmp_path / "none")}
    assert admin("run", "list", "-f", "json", **where).json == []
    unknown = admin("run", "resume", "20260101-000000", "--yes", **where)
    assert (unknown.status, "no run 20260101-000000" in unknown.stderr) == (1, True)
