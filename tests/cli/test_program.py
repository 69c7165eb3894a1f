"""The command line itself: help, imports, completion, man page, usage errors. No cluster is
asked.
"""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import click
import pytest

from cephctl.caps import caps_command, operator_caps
from cephctl.cli import NOUNS, root
from cephctl.cli.options import Verb
from tests.command import PROJECT, Cephctl

cephctl = Cephctl()
HEAVY = {"rich", "paramiko", "rados", "cephfs", "yaml", "tenacity"}


def imported(*arguments: str) -> set[str]:
    """Top-level modules that a run imports, its worker's included."""
    command = [sys.executable, "-X", "importtime", "-m", "cephctl", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    lines = [line for line in done.stderr.splitlines() if line.startswith("import time:")]
    return {line.rpartition("|")[2].strip().partition(".")[0] for line in lines}


@pytest.mark.parametrize(
    "arguments",
    [("--help",), ("--version",), ("tenant", "--help"), ("mds", "status", "--help")],
    ids=" ".join,
)
def test_help_and_version_import_nothing_heavy(arguments: tuple[str, ...]) -> None:
    found = imported(*arguments)
    assert "click" in found
    assert not found & HEAVY


def all_commands(
    group: click.Group = root, path: tuple[str, ...] = ()
) -> list[tuple[tuple[str, ...], click.Command]]:
    context = click.Context(group)
    found: list[tuple[tuple[str, ...], click.Command]] = []
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        assert command is not None
        here = (*path, name)
        found += (
            all_commands(command, here) if isinstance(command, click.Group) else [(here, command)]
        )
    return found


def test_every_noun_of_the_table_is_there() -> None:
    assert {path[0] for path, _ in all_commands()} == set(NOUNS)


@pytest.mark.parametrize(
    ("path", "command"),
    all_commands(),
    ids=lambda value: "-".join(value) if isinstance(value, tuple) else "",
)
def test_every_command_has_help_and_takes_the_global_options(
    path: tuple[str, ...], command: click.Command
) -> None:
    assert isinstance(command, Verb)
    shown = cephctl(*path, "--help")
    assert shown.status == 0
    assert command.help
    names = {name for parameter in command.params for name in parameter.opts}
    assert {
        "--format",
        "--timeout",
        "--config",
        "--debug",
        "--yes",
        "--dry-run",
        "--name",
        "--conf",
    } <= names


def test_root_help_has_examples_and_exit_codes() -> None:
    text = cephctl("--help").stdout
    assert "Examples:" in text
    assert "130 interrupted" in text
    for noun in NOUNS:
        assert f"\n  {noun} " in text


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("tennant", "list"), "did you mean 'tenant'"),
        (("tenant", "lits"), "did you mean 'list'"),
        (("tenant", "list", "--formt", "json"), "--format"),
        (("tenant", "list", "-f", "xml"), "'table', 'json', 'yaml', 'csv'"),
        (("tenant", "usage", "--top", "0"), "--top"),
        (("tenant", "usage", "--over", "x"), "--over"),
        (("tenant", "quota", "set"), "SIZE"),
        (("tenant", "quota", "set", "10G"), "specify a tenant"),
        (("tenant", "quota", "set", "acme", "--all", "10G"), "cannot be combined"),
        (("tenant", "quota", "set", "acme", "10X"), "500M, 10G, 1.5T"),
        (("tenant", "quota", "set", "acme", "10GB"), "10G or 10GiB"),
        (("mds", "status", "--timeout", "soon"), "number"),
        (("mds", "status", "--timeout", "0"), "between 1 and 3600"),
        (("mds", "status", "--config", "/no/such"), "no configuration at /no/such"),
        (("mds", "status", "-n", "admin"), "client.NAME"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_usage_errors_are_a_line_and_a_hint(arguments: tuple[str, ...], says: str) -> None:
    result = cephctl(*arguments)
    assert (result.status, result.stdout) == (2, "")
    assert says.lower() in result.stderr.lower()
    assert result.stderr.startswith("cephctl: error: ")
    assert len(result.stderr.splitlines()) <= 2


def test_config_init_show_and_no_overwriting(tmp_path: Path) -> None:
    file = tmp_path / "deep/cephctl.toml"
    written = cephctl("config", "init", "--config", str(file))
    assert written.status == 0
    assert (
        caps_command("get-or-create", "client.cephctl", operator_caps("client.web"))
        in written.stdout
    )
    content = file.read_text()
    again = cephctl("config", "init", "--config", str(file))
    assert again.status == 6
    assert file.read_text() == content
    assert cephctl("config", "init", "--dry-run").stdout == content
    shown = cephctl(
        "config", "show", "-f", "json", CEPHCTL_CONFIG=str(file), CEPHCTL_TIMEOUT="3"
    ).json
    assert {"setting": "ceph.timeout", "value": 3.0, "source": "CEPHCTL_TIMEOUT"} in shown


def test_the_caps_to_create_follow_the_configured_entity(tmp_path: Path) -> None:
    written = cephctl(
        "config",
        "init",
        "--config",
        str(tmp_path / "cephctl.toml"),
        "--yes",
        CEPHCTL_MOUNT_ENTITY="client.shop",
    )
    assert "entity=client.shop" in written.stdout
    assert "client.web" not in written.stdout


def test_generated_files_are_up_to_date() -> None:
    spec = importlib.util.spec_from_file_location("generate", PROJECT / "man/generate.py")
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    for name, text in module.generated().items():
        assert (PROJECT / name).read_text() == text, f"{name} is out of date: run 'make generated'"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts_are_printed(shell: str) -> None:
    assert "_CEPHCTL_COMPLETE" in cephctl("completion", shell).stdout


def complete(words: str, **environment: str) -> list[str]:
    variables = {
        "_CEPHCTL_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    result = cephctl(**variables, **environment)
    assert result.stderr == ""
    return [line.partition(",")[2] for line in result.stdout.splitlines() if line]


def test_words_are_completed() -> None:
    assert complete("cephctl te") == ["tenant"]
    assert complete("cephctl tenant quota s") == ["set"]
    assert "--timeout" not in complete("cephctl mds status --fo")


def test_nodes_are_completed_from_the_configuration(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[nodes.web-1-node-0]\naddress = "10.0.0.1"\nshard = "web-1"\n')
    assert complete("cephctl mds sessions web", CEPHCTL_CONFIG=str(file)) == ["web-1-node-0"]


def test_completion_is_silent_when_it_fails(tmp_path: Path) -> None:
    assert complete("cephctl tenant show a", CEPHCTL_CONFIG=str(tmp_path / "no")) == []
    assert complete("cephctl mds sessions a", CEPHCTL_CONFIG=str(tmp_path / "no")) == []
    conf = tmp_path / "ceph.conf"
    conf.write_text("[global]\nmon host = 127.0.0.1:1\n")
    assert complete("cephctl tenant show a", CEPH_CONF=str(conf)) == []


def test_the_bash_completion_works_in_bash(tmp_path: Path) -> None:
    words = (
        "source completions/cephctl.bash; COMP_WORDS=(cephctl ten); COMP_CWORD=1; "
        "_cephctl_completion cephctl; echo ${COMPREPLY[*]}"
    )
    environment = {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-c", words],
        cwd=PROJECT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stdout == "tenant\n"


def test_stdout_that_is_full_is_an_error() -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            cephctl.command("config", "show"),
            env=cephctl.variables({}),
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=60,
            check=False,
        )
    assert done.returncode == 1
    assert done.stderr.startswith("cephctl: error: cannot write the answer: No space left")


@pytest.mark.parametrize(
    "arguments", [(), ("tenant",), ("tenant", "quota"), ("config",)], ids=" ".join
)
def test_a_noun_alone_shows_its_help(arguments: tuple[str, ...]) -> None:
    result = cephctl(*arguments)
    assert (result.status, result.stderr) == (0, "")
    assert "Commands:" in result.stdout
    assert "\\n" not in result.stdout


def test_closed_streams_are_no_crash() -> None:
    for close in (">&-", "<&-", "2>&-"):
        command = f"{' '.join(cephctl.command('config', 'show'))} {close}"
        done = subprocess.run(
            ["sh", "-c", command],
            env=cephctl.variables({}),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 0
        assert "Traceback" not in done.stderr


def test_a_poor_locale_shows_every_name(tmp_path: Path) -> None:
    file = tmp_path / "c.toml"
    file.write_text('[nodes."nöde"]\naddress = "10.0.0.1"\nshard = "web-1"\n')
    shown = cephctl(
        "config",
        "show",
        CEPHCTL_CONFIG=str(file),
        LANG="C",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert shown.status == 0
    assert "de.address" in shown.stdout
