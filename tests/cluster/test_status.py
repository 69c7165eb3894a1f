from __future__ import annotations

import signal

from tests.cluster.conftest import Site
from tests.lab.shell import wait_until


def test_mds_status_is_the_clusters(site: Site) -> None:
    shown = site.cephctl("mds", "status", "-f", "json").json
    active, standby = shown["daemons"]
    assert (f"mds.{active['name']}", active["state"], active["rank"]) == (
        site.cluster.active_mds(),
        "up:active",
        0,
    )
    assert (standby["state"], standby["rank"], standby["clients"]) == ("up:standby", None, None)
    assert active["clients"] >= 1, "the test's own mount"


def test_a_missing_standby_is_said(site: Site) -> None:
    standby = ({"mds.a", "mds.b"} - {site.cluster.active_mds()}).pop()
    try:
        site.cluster.send(standby, signal.SIGKILL)
        site.cluster.ceph("mds", "fail", standby.removeprefix("mds."))
        wait_until(
            "its end",
            lambda: "standby" not in site.cephctl("mds", "status", "-f", "csv").stdout,
            30,
        )
        codes = {
            row["code"]: row["severity"]
            for row in site.cephctl("mds", "status", "-f", "json").json["findings"]
        }
        assert {"MDS_NO_STANDBY", "MDS_INSUFFICIENT_STANDBY"} & set(codes)
        assert site.cephctl("mds", "status").status == 0
        assert site.cephctl("mds", "status", "--fail-on", "warn").status == 3
    finally:
        site.cluster.start(standby)
        wait_until("the standby", site.cluster.is_ready, 60)


def test_standby_replay_is_shown(site: Site) -> None:
    try:
        site.cluster.ceph("fs", "set", "cephfs", "allow_standby_replay", "true")

        def states() -> list[str]:
            return [
                row["state"] for row in site.cephctl("mds", "status", "-f", "json").json["daemons"]
            ]

        wait_until("standby-replay", lambda: "up:standby-replay" in states(), 60)
        assert site.cephctl("tenant", "list").status == 0
        assert (
            site.cephctl("cluster", "status", "-f", "json").json["file_systems"][0]["standbys"] == 1
        )
    finally:
        site.cluster.ceph("fs", "set", "cephfs", "allow_standby_replay", "false")
        wait_until("a plain standby", site.cluster.is_ready, 60)


def test_sessions_have_their_node(site: Site) -> None:
    rows = site.cephctl("mds", "sessions", "-f", "json").json
    mine = [row for row in rows if row["entity"] == "client.admin"]
    assert mine
    assert {row["node"] for row in mine} == {"here"}
    assert {(row["client"], row["state"], row["root"]) for row in mine} == {
        ("libcephfs", "open", "/")
    }
    assert all(row["address"].startswith("127.0.0.1:0/") for row in mine)
    assert site.cephctl("mds", "sessions", "here", "-f", "json").json
    unknown = site.cephctl("mds", "sessions", "her")
    assert unknown.status == 1
    assert "did you mean here?" in unknown.stderr


def test_cluster_status_is_the_clusters(site: Site) -> None:
    shown = site.cephctl("cluster", "status", "-f", "json").json
    assert shown["fsid"] == site.cluster.fsid
    assert (shown["monitors"], shown["quorum"], shown["osds"], shown["osds_up"]) == (1, ["a"], 1, 1)
    pools = {pool["name"]: pool["replication"] for pool in shown["pools"]}
    assert pools["cephfs_data"] == "1/1"
    assert shown["file_systems"][0]["metadata_pool"] == "cephfs_metadata"
    assert "POOL_NO_REDUNDANCY" in [finding["code"] for finding in shown["findings"]]
    assert site.cephctl("cluster", "status").status == 0
    assert site.cephctl("cluster", "status", "--fail-on", "warn").status == 3
