from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from cephctl.config import SETTINGS, Config, load, template
from cephctl.errors import UsageError


def load_text(tmp_path: Path, text: str, **flags: str) -> Config:
    file = tmp_path / "cephctl.toml"
    file.write_text(text)
    return load(str(file), flags, {})


def test_flags_before_environment_before_file_before_default(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[ceph]\ntimeout = 3\nname = "client.file"\nfilesystem = "f"\n')
    config = load(
        str(file), {"timeout": "5"}, {"CEPHCTL_NAME": "client.env", "CEPHCTL_TIMEOUT": "4"}
    )
    found = {key: (value.value, value.source) for key, value in config.values.items()}
    assert found["ceph.timeout"] == (5.0, "command line")
    assert found["ceph.name"] == ("client.env", "CEPHCTL_NAME")
    assert found["ceph.filesystem"] == ("f", str(file))
    assert found["tenants.root"] == ("/", "default")


def test_ceph_conf_of_the_environment() -> None:
    assert load(None, {}, {"CEPH_CONF": "/x", "XDG_CONFIG_HOME": "/none"})["ceph.conf"] == "/x"
    assert (
        load(None, {}, {"CEPH_CONF": "/x", "CEPHCTL_CONF": "/y", "XDG_CONFIG_HOME": "/none"})[
            "ceph.conf"
        ]
        == "/y"
    )


def test_the_users_file_comes_before_the_systems(tmp_path: Path) -> None:
    (tmp_path / "cephctl").mkdir()
    (tmp_path / "cephctl/cephctl.toml").write_text("[ceph]\ntimeout = 7\n")
    assert load(None, {}, {"XDG_CONFIG_HOME": str(tmp_path)})["ceph.timeout"] == 7


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        (
            "[ceph]\ntimeuot = 3\n",
            "unknown setting 'timeuot' in \\[ceph\\]",
            "did you mean 'timeout'?",
        ),
        ("[cpeh]\n", "unknown section 'cpeh'", "did you mean 'ceph'?"),
        ("[nodes.a]\nadress = '1'\n", "unknown setting 'adress'", "did you mean 'address'?"),
        ("[nodes.a]\naddress = '1'\n", "\\[nodes.a\\] has no shard", None),
        ("[nodes.a]\naddress = 1\nshard = 's'\n", "nodes.a.address must be a string", None),
        ("[nodes]\na = 1\n", "'nodes.a' must be a section", None),
        ("ceph = 1\n", "'ceph' must be a section", None),
        ("[ceph]\ntimeout = 'soon'\n", "ceph.timeout must be a number", None),
        ("[ceph]\ntimeout = true\n", "ceph.timeout must be a number", None),
        ("[ceph]\ntimeout = 0\n", "between 1 and 3600", None),
        ("[ceph]\nconf = 3\n", "ceph.conf must be a string", None),
        ("[ceph]\nname = 'web'\n", "not a client entity", None),
        ("[tenants]\nroot = 'x'\n", "tenants.root must be an absolute path", None),
        ("[tenants]\nroot = '/a/../b'\n", "tenants.root must be an absolute path", None),
        ("[ceph\n", "not valid TOML", None),
    ],
)
def test_mistakes_are_named(tmp_path: Path, text: str, message: str, hint: str | None) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_text(tmp_path, text)
    assert hint is None or caught.value.hint == hint


def test_the_template_is_valid_and_complete(tmp_path: Path) -> None:
    defaults = load_text(tmp_path, template())
    assert all(defaults[setting.key] == setting.default for setting in SETTINGS)
    uncommented = "\n".join(
        line.removeprefix("#") for line in template().splitlines() if not line.startswith("# ")
    )
    assert set(tomllib.loads(uncommented)) == {
        "ceph",
        "tenants",
        "mount",
        "haproxy",
        "runs",
        "ssh",
        "nodes",
    }
    load_text(tmp_path, uncommented)
