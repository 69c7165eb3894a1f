"""The field names of every answer are a contract: scripts rely on them."""

from __future__ import annotations

import csv
import io

import pytest
import yaml

from tests.cluster import commands
from tests.cluster.conftest import Site
from tests.command import Cephctl

QUOTA = "name max_bytes max_files rbytes rentries percent effective_max_bytes effective_path"
CHANGE = (
    "name before_max_bytes after_max_bytes before_max_files after_max_files rbytes "
    "rentries percent "
    "effective_max_bytes effective_path changed first_limit superseded tighter_path"
)
SESSION = (
    "mds id node entity address hostname client version root caps state requests uptime_seconds"
)
FIELDS = {
    "tenant-list": "name rbytes uid gid mode",
    "tenant-show-acme": (
        "name path file_system uid gid mode rbytes rfiles rsubdirs rentries max_bytes "
        "max_files percent effective_max_bytes "
        "effective_path rctime"
    ),
    "tenant-usage": "name rbytes rfiles rsubdirs max_bytes max_files percent rctime",
    "tenant-quota-get": QUOTA,
    "mds-status": "daemons findings",
    "mds-sessions": SESSION,
    "node-sessions": SESSION,
    "keys-list": "entity type fingerprint created pending sessions used_by",
    "keys-show": "entity type fingerprint created pending predating caps sessions",
    "keys-caps-show": "service caps",
    "keys-caps-diff": "service before after changed",
    "cluster-blocklist-list": "address range node until",
    "cluster-status": (
        "fsid health monitors quorum mgr_available osds osds_up osds_in pgs "
        "pgs_active_clean total_bytes used_bytes pools "
        "file_systems findings"
    ),
    "tenant-quota-set-acme": CHANGE,
    "tenant-quota-clear-acme": CHANGE,
}


@pytest.mark.parametrize("command", commands.ALL, ids=commands.name)
def test_fields(site: Site, cephctl: Cephctl, command: tuple[str, ...]) -> None:
    site.cluster.ceph("osd", "blocklist", "add", "10.9.9.9:0/1")
    as_json = cephctl(*command, "--format", "json").json
    first = as_json[0] if isinstance(as_json, list) else as_json
    assert list(first) == FIELDS[commands.name(command)].split()
    as_yaml = yaml.safe_load(cephctl(*command, "--format", "yaml").stdout)
    assert type(as_yaml) is type(as_json)
    assert list(as_yaml[0] if isinstance(as_yaml, list) else as_yaml) == list(first)
    [header, *rows] = csv.reader(io.StringIO(cephctl(*command, "--format", "csv").stdout))
    assert rows
    nested = first["daemons"][0] if "daemons" in first else first
    assert set(header) <= set(nested)


def test_nested_fields(cephctl: Cephctl) -> None:
    mds = cephctl("mds", "status", "-f", "json").json
    assert list(mds["daemons"][0]) == [
        "file_system",
        "rank",
        "name",
        "state",
        "clients",
        "address",
        "laggy",
    ]
    cluster = cephctl("cluster", "status", "-f", "json").json
    assert list(cluster["pools"][0]) == [
        "name",
        "id",
        "replication",
        "size",
        "min_size",
        "pg_num",
        "objects",
        "stored_bytes",
        "available_bytes",
    ]
    assert list(cluster["file_systems"][0]) == [
        "name",
        "metadata_pool",
        "data_pools",
        "ranks",
        "active",
        "standbys",
    ]
    evidence = ["node_says", "cluster_says", "remedy", "remedy_host", "commands"]
    assert list(cluster["findings"][0]) == ["code", "severity", "summary", "detail", *evidence]


@pytest.mark.parametrize("command", commands.READS, ids=commands.name)
def test_a_table_has_no_colour_and_no_padding_off_a_terminal(
    site: Site, cephctl: Cephctl, command: tuple[str, ...]
) -> None:
    # Whatever ran before: an empty list would show nothing.
    site.cluster.ceph("osd", "blocklist", "add", "10.9.8.7:0/1", "60")
    shown = cephctl(*command).stdout
    assert shown.strip()
    assert "\x1b" not in shown
    assert not any(line != line.rstrip() for line in shown.splitlines())
