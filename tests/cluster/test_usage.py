from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.cluster.conftest import Site
from tests.command import Cephctl

MIB = 1 << 20


@pytest.fixture
def used(site: Site) -> Site:
    """acme has 3 MiB of 4, blog 2 MiB in two files of unlimited, shop nothing but its page of 1
    MiB.
    """
    site.storage.write("/acme/webroots/site/public/a", 3 * MIB)
    for name in ("a", "b"):
        site.storage.write(f"/blog/webroots/site/public/{name}", MIB)
    for name, size in (("acme", 3 * MIB), ("blog", 2 * MIB), ("shop", 0)):
        site.storage.wait_for_rbytes(f"/{name}", size + len(f"<h1>{name}</h1>\n"))
    site.storage.set_quota("/acme", 4 * MIB, 50)
    site.storage.set_quota("/shop", MIB, 0)
    return site


def names(cephctl: Cephctl, *options: str) -> list[str]:
    found = cephctl("tenant", "usage", *options, "-f", "json")
    assert found.status == 0, found.stderr
    return [row["name"] for row in found.json]


def test_figures_are_what_was_written(used: Site) -> None:
    rows = {row["name"]: row for row in used.cephctl("tenant", "usage", "-f", "json").json}
    acme, blog = rows["acme"], rows["blog"]
    assert (acme["rbytes"], acme["rfiles"], acme["rsubdirs"]) == (3 * MIB + 14, 2, 7)
    assert (acme["max_bytes"], acme["max_files"], acme["percent"]) == (4 * MIB, 50, 75.0)
    assert (blog["rbytes"], blog["rfiles"], blog["max_bytes"], blog["percent"]) == (
        2 * MIB + 14,
        3,
        None,
        None,
    )
    changed = datetime.fromisoformat(acme["rctime"])
    assert abs((datetime.now(UTC) - changed).total_seconds()) < 600


def test_sort_over_top(used: Site) -> None:
    assert names(used.cephctl) == ["acme", "blog", "shop"]
    assert names(used.cephctl, "--sort", "used") == ["acme", "blog", "shop"]
    assert names(used.cephctl, "--sort", "files") == ["blog", "acme", "shop"]
    assert names(used.cephctl, "--sort", "percent") == ["acme", "shop", "blog"]
    assert names(used.cephctl, "--over", "50") == ["acme"]
    assert names(used.cephctl, "--over", "75") == []
    assert names(used.cephctl, "--sort", "used", "--top", "2") == ["acme", "blog"]
    assert names(used.cephctl, "--sort", "files", "--top", "1") == ["blog"]


def test_named_tenants_come_in_the_order_named(used: Site) -> None:
    assert names(used.cephctl, "shop", "acme", "shop") == ["shop", "acme"]


def test_it_says_how_old_figures_can_be(used: Site) -> None:
    shown = used.cephctl("tenant", "usage")
    assert "10 s old" in shown.stderr
    assert used.cephctl("tenant", "usage", "-q").stderr == ""


def test_show(used: Site) -> None:
    shown = used.cephctl("tenant", "show", "acme", "-f", "json").json
    assert (shown["path"], shown["file_system"], shown["mode"], shown["percent"]) == (
        "/acme",
        "cephfs",
        "0755",
        75.0,
    )
    assert "75%" in used.cephctl("tenant", "show", "acme").stdout


def test_list_leaves_out_what_is_no_tenant(site: Site) -> None:
    site.storage.write("/file", 1)
    site.storage.make_directories(["/.hidden"])
    assert [row["name"] for row in site.cephctl("tenant", "list", "-f", "json").json] == [
        "acme",
        "blog",
        "shop",
    ]


def test_a_missing_root_is_named(site: Site) -> None:
    with site.config.open("a") as file:
        file.write('[tenants]\nroot = "/nowhere"\n')
    for command in (
        ["tenant", "list"],
        ["tenant", "usage"],
        ["tenant", "quota", "get"],
        ["tenant", "show", "acme"],
    ):
        refused = site.cephctl(*command)
        assert refused.status == 1
        assert "/nowhere" in refused.stderr


def test_odd_names_are_shown_harmlessly(site: Site) -> None:
    site.storage.fs.mkdir(b"/caf\xc3\xa9", 0o755)
    site.storage.fs.mkdir(b"/bad\xff", 0o755)
    shown = site.cephctl("tenant", "list")
    assert shown.status == 0
    assert "café" in shown.stdout
    assert "bad\\xff" in shown.stdout
    assert site.cephctl("tenant", "show", "café", "-f", "json").json["name"] == "café"
