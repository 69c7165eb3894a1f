from __future__ import annotations

import os
import pty
import signal
import subprocess

import pytest

from tests.cluster.conftest import Site
from tests.command import Cephctl
from tests.lab.shell import wait_until

GIB = 1 << 30


def test_set_shows_before_and_after_and_the_cluster_has_it(site: Site) -> None:
    first = site.cephctl("tenant", "quota", "set", "acme", "10G", "--yes", "-f", "json")
    assert first.status == 0, first.stderr
    [change] = first.json
    assert (change["before_max_bytes"], change["after_max_bytes"], change["changed"]) == (
        None,
        10 * GIB,
        True,
    )
    assert site.storage.quota("/acme") == (10 * GIB, 0)
    second = site.cephctl("tenant", "quota", "set", "acme", "1.5T", "--max-files", "5000", "--yes")
    assert "10 GiB" in second.stdout
    assert "1.5 TiB" in second.stdout
    assert site.storage.quota("/acme") == (1536 * GIB, 5000)


def test_the_rename_warning_comes_once(cephctl: Cephctl) -> None:
    assert "EXDEV" in cephctl("tenant", "quota", "set", "acme", "10G", "--yes").stderr
    assert "EXDEV" not in cephctl("tenant", "quota", "set", "acme", "20G", "--yes").stderr
    several = cephctl("tenant", "quota", "set", "--all", "30G", "--yes")
    assert several.stderr.count("EXDEV") == 1
    assert "2 tenants" in several.stderr


def test_clear_and_zero_remove(site: Site) -> None:
    site.storage.set_quota("/acme", GIB, 100)
    site.storage.set_quota("/blog", GIB, 100)
    assert site.cephctl("tenant", "quota", "clear", "acme", "--yes").status == 0
    assert site.storage.quota("/acme") == (0, 0)
    [change] = site.cephctl("tenant", "quota", "set", "blog", "0", "--yes", "-f", "json").json
    assert change["after_max_bytes"] is None
    assert site.storage.quota("/blog") == (0, 100)


def test_several_names_and_all(site: Site) -> None:
    assert site.cephctl("tenant", "quota", "set", "acme", "shop", "1G", "--yes").status == 0
    assert [site.storage.quota(f"/{name}")[0] for name in ("acme", "blog", "shop")] == [GIB, 0, GIB]
    everyone = site.cephctl("tenant", "quota", "set", "--all", "1G", "--yes", "-f", "json")
    assert [(row["name"], row["changed"]) for row in everyone.json] == [
        ("acme", False),
        ("blog", True),
        ("shop", False),
    ]
    assert "had these limits already" in everyone.stderr


def test_below_usage_is_refused_whole(site: Site) -> None:
    site.storage.write("/blog/webroots/site/public/big", 3 << 20)
    site.storage.wait_for_rbytes("/blog", (3 << 20) + len("<h1>blog</h1>\n"))
    refused = site.cephctl("tenant", "quota", "set", "acme", "blog", "2M", "--yes")
    assert (refused.status, refused.stdout) == (6, "")
    assert "blog uses 3 MiB, more than 2 MiB; nothing was changed" in refused.stderr
    assert site.storage.quota("/acme") == (0, 0)
    assert site.cephctl("tenant", "quota", "set", "blog", "2M", "--yes", "--force").status == 0
    assert site.storage.quota("/blog") == (2 << 20, 0)


def test_fewer_files_than_there_are_is_refused(site: Site) -> None:
    site.storage.wait_for_rbytes("/acme", len("<h1>acme</h1>\n"))
    refused = site.cephctl("tenant", "quota", "set", "acme", "1G", "--max-files", "2", "--yes")
    assert refused.status == 6
    assert "files and directories, more than 2" in refused.stderr


def test_dry_run_changes_nothing_and_shows_the_same(site: Site) -> None:
    planned = site.cephctl("tenant", "quota", "set", "acme", "1G", "--dry-run", "-f", "json")
    assert planned.status == 0
    assert site.storage.quota("/acme") == (0, 0)
    done = site.cephctl("tenant", "quota", "set", "acme", "1G", "--yes", "-f", "json")
    assert [row | {"rbytes": 0, "rentries": 0} for row in planned.json] == [
        row | {"rbytes": 0, "rentries": 0} for row in done.json
    ]


def test_without_a_terminal_it_needs_yes(site: Site) -> None:
    refused = site.cephctl("tenant", "quota", "set", "acme", "1G")
    assert refused.status == 2
    assert "--yes" in refused.stderr
    assert site.storage.quota("/acme") == (0, 0)


@pytest.mark.parametrize(
    ("answer", "status", "limit"), [("y", 0, GIB), ("n", 6, 0), ("\x03", 130, 0)]
)
def test_on_a_terminal_it_shows_and_asks(site: Site, answer: str, status: int, limit: int) -> None:
    leader, terminal = pty.openpty()
    program = subprocess.Popen(
        site.cephctl.command("tenant", "quota", "set", "acme", "1G"),
        env=site.cephctl.variables({}),
        stdin=terminal,
        stdout=subprocess.DEVNULL,
        stderr=terminal,
        start_new_session=True,
    )
    os.close(terminal)
    seen = b""
    while b"[y/N]" not in seen:
        seen += os.read(leader, 4096)
    assert b"1 GiB" in seen
    if answer == "\x03":
        # Python's input() may miss a signal that comes in the instant before it reads: press again,
        # as a person would.
        def ended() -> bool:
            os.killpg(program.pid, signal.SIGINT)
            return program.poll() is not None

        wait_until("the end", ended, 60)
    else:
        os.write(leader, answer.encode() + b"\n")
    assert program.wait(60) == status
    if answer == "n":
        assert b"cancelled; nothing was changed" in os.read(leader, 4096)
    os.close(leader)
    assert site.storage.quota("/acme") == (limit, 0)


def test_an_ancestors_tighter_limit_is_shown(site: Site) -> None:
    site.storage.set_quota("/", 5 * GIB, 0)
    change = site.cephctl("tenant", "quota", "set", "acme", "10G", "--yes", "-f", "json")
    assert change.json[0]["effective_max_bytes"] == 5 * GIB
    assert change.json[0]["effective_path"] == "/"
    assert "tighter limit at /" in change.stderr
    [shown] = site.cephctl("tenant", "quota", "get", "acme", "-f", "json").json
    assert (shown["max_bytes"], shown["effective_max_bytes"], shown["effective_path"]) == (
        10 * GIB,
        5 * GIB,
        "/",
    )
    site.storage.write("/acme/home/g", 1 << 20)
    site.storage.wait_for_rbytes("/acme", (1 << 20) + 14)
    reads = (["quota", "get", "acme"], ["usage", "acme"])
    shares = [site.cephctl("tenant", *read, "-f", "json").json[0]["percent"] for read in reads]
    assert shares[0] == shares[1], "percent is of the tenant's own limit everywhere"


def test_tenants_below_a_directory(site: Site) -> None:
    site.storage.make_directories(["/acme/inner"])
    site.storage.set_quota("/acme", GIB, 0)
    with site.config.open("a") as file:
        file.write('[tenants]\nroot = "/acme"\n')
    assert site.cephctl("tenant", "quota", "set", "inner", "2G", "--yes").status == 0
    assert site.storage.quota("/acme/inner") == (2 * GIB, 0)
    [shown] = site.cephctl("tenant", "quota", "get", "inner", "-f", "json").json
    assert shown["effective_path"] == "/acme"
    assert site.cephctl("tenant", "show", "blog").status == 1


def test_unknown_tenants_are_named_with_near_names(site: Site) -> None:
    wrong = site.cephctl("tenant", "quota", "set", "acne", "1G", "--yes")
    assert (wrong.status, wrong.stdout) == (1, "")
    assert wrong.stderr.splitlines() == [
        "cephctl: error: no tenant acne under /",
        "  did you mean acme?",
    ]
    mixed = site.cephctl("tenant", "quota", "set", "acme", "nosuch", "1G", "--yes")
    assert mixed.status == 1
    assert site.storage.quota("/acme") == (0, 0)


def test_some_of_several_read_is_partial(cephctl: Cephctl) -> None:
    found = cephctl("tenant", "quota", "get", "acme", "nosuch", "-f", "json")
    assert found.status == 5
    assert [row["name"] for row in found.json] == ["acme"]
    assert "no tenant nosuch" in found.stderr


@pytest.mark.parametrize(
    "name", ["", ".", "..", "../etc", "a/b", "/acme", "x" * 256, "a\nb", "a\x1bb", ".snap"]
)
def test_names_cannot_leave_the_root(site: Site, name: str) -> None:
    for verb in (["quota", "set", name, "1G", "--yes"], ["show", name], ["usage", name]):
        refused = site.cephctl("tenant", *verb)
        assert (refused.status, refused.stdout) == (2, ""), refused
        assert "\x1b" not in refused.stderr
    assert site.storage.quota("/acme") == (0, 0)


def test_a_symbolic_link_is_no_tenant(site: Site) -> None:
    site.storage.fs.symlink(b"/acme", b"/link")
    refused = site.cephctl("tenant", "quota", "set", "link", "1G", "--yes")
    assert refused.status == 2
    assert "symbolic link" in refused.stderr
    assert site.storage.quota("/acme") == (0, 0)
    assert "link" not in site.cephctl("tenant", "list").stdout


@pytest.mark.parametrize("size", ["10X", "", "-1", "1.5", "10GB", "8E", "lots"])
def test_bad_sizes_say_what_is_accepted(cephctl: Cephctl, size: str) -> None:
    refused = cephctl("tenant", "quota", "set", "acme", size, "--yes")
    assert refused.status == 2
    assert refused.stdout == ""


def test_two_at_once_last_wins_and_both_say_what_they_saw(site: Site) -> None:
    programs = [
        site.cephctl.start("tenant", "quota", "set", "acme", f"{size}G", "--yes", "-f", "csv")
        for size in (11, 12)
    ]
    outputs = [program.communicate(timeout=60) for program in programs]
    assert [program.returncode for program in programs] == [0, 0], outputs
    assert site.storage.quota("/acme")[0] in (11 * GIB, 12 * GIB)
    for output, _ in outputs:
        header, row = output.splitlines()
        seen = dict(zip(header.split(","), row.split(","), strict=True))
        assert seen["before_max_bytes"] in ("", str(11 * GIB), str(12 * GIB))
        assert seen["after_max_bytes"] in (str(11 * GIB), str(12 * GIB))
