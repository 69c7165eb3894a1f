"""Files, keys and caps that are wrong: said before or instead of what librados would make of
them.
"""

from __future__ import annotations

import base64
import os
import re
import struct
import time
from pathlib import Path

import pytest

from cephctl.caps import caps_command, operator_caps
from tests.cluster import commands
from tests.cluster.conftest import Site
from tests.command import Result


def keyring(path: Path, entity: str, key: str) -> Path:
    path.write_text(f"[{entity}]\n\tkey = {key}\n")
    return path


def random_key() -> str:
    return base64.b64encode(
        struct.pack("<HIIH", 1, int(time.time()), 0, 16) + os.urandom(16)
    ).decode()


def entity_with(site: Site, tmp_path: Path, *caps: str) -> list[str]:
    """Options that log in as a new entity with these caps."""
    entity = f"client.cephctl-{os.urandom(4).hex()}"
    path = tmp_path / "test.keyring"
    path.write_text(site.cluster.ceph("auth", "get-or-create", entity, *caps))
    return ["-n", entity, "-k", str(path)]


def test_wrong_key(site: Site, tmp_path: Path) -> None:
    wrong = keyring(tmp_path / "k", "client.cephctl", random_key())
    for command in commands.ALL:
        result = site.cephctl(*command, "-k", str(wrong))
        assert (result.status, result.stdout) == (4, "")
        assert f"the monitors refused client.cephctl: its key in {wrong}" in result.stderr
        assert (
            caps_command("get-or-create", "client.cephctl", operator_caps("client.web"))
            in result.stderr
        )


def test_entity_the_cluster_does_not_know(site: Site, tmp_path: Path) -> None:
    stranger = keyring(tmp_path / "k", "client.stranger", random_key())
    result = site.cephctl("cluster", "status", "-n", "client.stranger", "-k", str(stranger))
    assert result.status == 4
    assert "client.stranger" in result.stderr


@pytest.mark.parametrize(
    ("caps", "command", "lacks"),
    [
        (("mon", "allow r"), ("mds", "sessions"), "mds 'allow *'"),
        (("mon", "allow r"), ("tenant", "list"), "mds 'allow *'"),
        (
            ("mon", "allow r", "mds", "allow rw"),
            ("tenant", "quota", "set", "acme", "1G", "--yes"),
            "mds 'allow *'",
        ),
        (("mon", "allow r", "mds", "allow rw"), ("mds", "sessions"), "mds 'allow *'"),
    ],
)
def test_missing_caps_are_named_with_the_command_that_grants_them(
    site: Site, tmp_path: Path, caps: tuple[str, ...], command: tuple[str, ...], lacks: str
) -> None:
    login = entity_with(site, tmp_path, *caps)
    result = site.cephctl(*command, *login)
    # 18.2 leaves a client without any mds cap without an answer.
    assert result.status in ((1,) if "mds" in caps else (1, 4)), result
    assert re.search(f"lacks? {re.escape(lacks)}", result.stderr)
    assert caps_command("caps", login[1], operator_caps("client.web")) in result.stderr
    granted = site.cluster.ceph("auth", "caps", login[1], "mon", "allow r", "mds", "allow *")
    assert granted is not None
    assert site.cephctl(*command, *login).status == 0


def test_without_any_mon_cap_the_monitors_refuse(site: Site, tmp_path: Path) -> None:
    login = entity_with(site, tmp_path, "mds", "allow *")
    result = site.cephctl("cluster", "status", *login)
    assert result.status == 4
    assert "or it lacks mon 'allow r'" in result.stderr
    assert caps_command("caps", login[1], operator_caps("client.web")) in result.stderr


def test_nobody_elses_caps_are_told_to_be_replaced(site: Site, tmp_path: Path) -> None:
    """`ceph auth caps client.admin` with our caps would lock everybody out."""
    entity = f"client.web{os.urandom(4).hex()}"
    path = tmp_path / "k"
    path.write_text(
        site.cluster.ceph(
            "auth", "get-or-create", entity, "mon", "allow r", "osd", "allow rw pool=cephfs_data"
        )
    )
    denied = site.cephctl("mds", "sessions", "-n", entity, "-k", str(path))
    assert denied.status in (1, 4)
    assert re.search(r"lacks? mds 'allow \*'", denied.stderr)
    assert f"ceph auth get {entity}" in denied.stderr
    assert f"auth caps {entity}" not in denied.stderr
    wrong = site.cephctl(
        "mds",
        "sessions",
        "-n",
        "client.admin",
        "-k",
        str(keyring(path, "client.admin", random_key())),
    )
    assert wrong.status == 4
    assert "client.admin mon" not in wrong.stderr


def test_with_less_than_all_caps_reading_still_works(site: Site, tmp_path: Path) -> None:
    login = entity_with(site, tmp_path, "mon", "allow r", "mds", "allow r")
    assert site.cephctl("tenant", "usage", *login).status == 0


def refused(site: Site, *options: str) -> Result:
    result = site.cephctl("cluster", "status", *options)
    assert (result.status, result.stdout) == (2, "")
    return result


def test_files_that_are_not_there(site: Site, tmp_path: Path) -> None:
    assert f"no ceph.conf at {tmp_path}/no" in refused(site, "-c", f"{tmp_path}/no").stderr
    missing = refused(site, "-k", f"{tmp_path}/no").stderr
    assert f"no keyring of client.cephctl at {tmp_path}/no" in missing
    assert "ceph auth get-or-create client.cephctl" in missing
    assert "-o ./client.cephctl.keyring" in missing
    found = refused(site, "-n", "client.other").stderr
    assert "has no key for client.other, only for client.cephctl" in found
    assert "-o " not in found, "it would overwrite the keyring that is there"


def test_ceph_s_own_search_list_is_named(site: Site, tmp_path: Path) -> None:
    config = tmp_path / "c.toml"
    config.write_text(f'[ceph]\nconf = "{site.cluster.operator_conf}"\nname = "client.nobody"\n')
    stderr = refused(site, "--config", str(config)).stderr
    assert "looked for /etc/ceph/ceph.client.nobody.keyring, /etc/ceph/ceph.keyring" in stderr


def test_unreadable(site: Site, tmp_path: Path) -> None:
    assert "cannot be read" in refused(site, "-c", str(tmp_path)).stderr
    assert "cannot be read" in refused(site, "-k", str(tmp_path)).stderr


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"\xef\xbb\xbf[global]\nmon host = 127.0.0.1\n", "byte order mark"),
        (b"[global]\nmon host = 127.0.0.1\n\0", "NUL"),
        (b"mon host = 127.0.0.1\n", "line 1"),
        (b"[global]\n", "names no monitor"),
        (b"", "names no monitor"),
    ],
)
def test_a_damaged_conf(site: Site, tmp_path: Path, content: bytes, says: str) -> None:
    conf = tmp_path / "ceph.conf"
    conf.write_bytes(content)
    assert says in refused(site, "-c", str(conf)).stderr


@pytest.mark.parametrize(
    ("damage", "says"),
    [
        (lambda text: b"\xef\xbb\xbf" + text, "byte order mark"),
        (lambda text: text + b"\0", "NUL"),
        (lambda text: text.replace(b"==", b""), "is not base64"),
        (lambda text: b"", "only for no entity"),
    ],
    ids=["bom", "nul", "truncated", "empty"],
)
def test_a_damaged_keyring(site: Site, tmp_path: Path, damage: object, says: str) -> None:
    assert callable(damage)
    file = tmp_path / "k"
    content = site.cluster.keyring("client.cephctl").read_bytes()
    file.write_bytes(damage(content))
    stderr = refused(site, "-k", str(file)).stderr
    assert says in stderr
    assert content.split()[-1].decode() not in stderr


def test_unknown_file_system(site: Site) -> None:
    with site.config.open() as file:
        text = file.read()
    site.config.write_text(text.replace("[ceph]", '[ceph]\nfilesystem = "cephfs2"'))
    result = site.cephctl("tenant", "list")
    assert result.status == 1
    assert "no file system cephfs2; there is cephfs" in result.stderr


def test_config_check(site: Site, tmp_path: Path) -> None:
    assert site.cephctl("config", "check").status == 0
    login = entity_with(site, tmp_path, "mon", "allow r")
    found = site.cephctl("config", "check", *login, "-f", "json")
    assert found.status == 3
    assert found.json[0]["code"] == "CONFIG_MDS"
    assert "auth caps" in " ".join(found.json[0]["detail"])
