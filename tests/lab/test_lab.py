"""What only real web nodes can show: the kernel obeys a quota, usage is what was written, sessions
are nodes.
"""

from __future__ import annotations

import subprocess

import pytest

from tests.lab import network, platform, site
from tests.lab.conftest import Lab
from tests.lab.places import NODES, STORAGE
from tests.lab.shell import wait_until

MIB = 1 << 20
FILE = "/var/www/storage/acme/home/upload"


def on(lab: Lab, node: str, command: str) -> subprocess.CompletedProcess[str]:
    """Run a shell command on a web node."""
    command_line = lab.nodes[node].ssh_command(f"{command} 2>&1")
    return subprocess.run(command_line, capture_output=True, text=True, timeout=120, check=False)


def used(lab: Lab, tenant: str) -> int:
    [row] = lab.cephctl("tenant", "usage", tenant, "-f", "json").json
    return int(row["rbytes"])


@pytest.mark.both
def test_a_quota_stops_a_write_from_a_web_node_and_more_room_lets_it_on(lab: Lab) -> None:
    # What somebody wrote by hand before would be above the limit already.
    on(lab, "web-1-node-0", "sudo find /var/www/storage/acme -type f -size +1M -delete")
    wait_until("an empty tenant", lambda: used(lab, "acme") < 1 << 20, 60, every=1)
    before = used(lab, "acme")
    assert lab.cephctl("tenant", "quota", "set", "acme", "20M", "--yes").status == 0
    try:
        written = on(lab, "web-1-node-0", f"sudo -u acme dd if=/dev/zero of={FILE} bs=1M count=200")
        assert written.returncode != 0
        assert "Disk quota exceeded" in written.stdout
        assert (
            "Disk quota exceeded"
            in on(
                lab,
                "web-1-node-1",
                f"sudo -u acme dd if=/dev/zero of={FILE}.2 bs=1M count=1 conv=fsync",
            ).stdout
        )
        size = int(on(lab, "web-1-node-2", f"sudo stat -c %s {FILE}").stdout)
        wait_until(
            "usage to be what was written",
            lambda: abs(used(lab, "acme") - before - size) < 1000,
            60,
            every=1,
        )
        [row] = lab.cephctl("tenant", "usage", "--over", "95", "-f", "json").json
        assert row["name"] == "acme"
        assert lab.cephctl("tenant", "quota", "set", "acme", "1G", "--yes").status == 0
        wait_until(
            "room",
            lambda: (
                on(
                    lab, "web-1-node-1", f"sudo -u acme dd if=/dev/zero of={FILE}.2 bs=1M count=1"
                ).returncode
                == 0
            ),
            30,
        )
    finally:
        on(lab, "web-1-node-0", f"sudo rm -f {FILE} {FILE}.2")


@pytest.mark.both
def test_every_node_is_a_session_with_its_name(lab: Lab) -> None:
    rows = [
        row
        for row in lab.cephctl("mds", "sessions", "-f", "json").json
        if row["entity"] == "client.web"
    ]
    assert {row["node"] for row in rows} == set(NODES)
    for row in rows:
        assert (row["client"], row["state"], row["root"], row["hostname"]) == (
            "kernel",
            "open",
            "/",
            row["node"],
        )
        assert row["version"].endswith("-amd64")
        instance = on(lab, row["node"], "sudo sh -c 'cat /sys/kernel/debug/ceph/*/status'").stdout
        assert row["address"] in instance, "the name the kernel gives itself"


def test_sites_are_served_through_haproxy_and_log_on_the_file_system(lab: Lab) -> None:
    platform_states = site.haproxy_states()
    assert set(platform_states.values()) == {"UP"}
    page = (*lab.cephctl.enter, "curl", "-s", "-H", "Host: site.acme.test", f"http://{STORAGE}/")
    assert (
        subprocess.run(page, capture_output=True, text=True, timeout=30, check=True).stdout
        == "<h1>acme</h1>\n"
    )
    assert (
        "GET / HTTP"
        in on(lab, "web-1-node-2", "sudo cat /var/www/storage/acme/logs/access.log").stdout
    )
    assert "busy" in on(lab, "web-1-node-2", "sudo umount /var/www/storage").stdout, (
        "nginx holds its logs there"
    )


def test_a_node_that_is_cut_off_changes_nothing_for_the_operator(lab: Lab) -> None:
    network.cut("web-1-node-1")
    try:
        wait_until(
            "HAProxy to see it",
            lambda: site.haproxy_states()["web-1-node-1"].startswith("DOWN"),
            60,
        )
        assert lab.cephctl("tenant", "usage").status == 0
        assert (
            lab.cephctl("mds", "sessions", "web-1-node-1", "-f", "json").json[0]["node"]
            == "web-1-node-1"
        )
    finally:
        network.heal("web-1-node-1")
        wait_until(
            "HAProxy to see it again", lambda: site.haproxy_states()["web-1-node-1"] == "UP", 60
        )


@pytest.mark.parametrize(
    "damage",
    [
        "sudo umount -l /var/www/storage",
        "sudo systemctl poweroff",
        "sudo rm /etc/ceph/ceph.client.web.secret",
    ],
)
def test_reset_brings_a_damaged_node_back(lab: Lab, damage: str) -> None:
    node = lab.nodes["web-1-node-2"]
    on(lab, node.name, damage)
    platform.reset_and_wait(node)
    state = on(
        lab,
        node.name,
        (
            "systemctl is-active var-www-storage.mount nginx node-agent; findmnt -no FSTYPE "
            "/var/www/storage"
        ),
    )
    assert state.stdout.split() == ["active", "active", "active", "ceph"]
    rows = lab.cephctl("mds", "sessions", node.name, "-f", "json").json
    assert len(rows) == 1


def test_the_unit_and_the_agent_are_the_platforms(lab: Lab) -> None:
    shown = on(
        lab,
        "web-1-node-0",
        "systemctl show -p Requires -p After node-agent; systemctl cat var-www-storage.mount",
    ).stdout
    assert shown.count("var-www-storage.mount") >= 3
    assert "_netdev" in shown
    secret = on(
        lab,
        "web-1-node-0",
        "sudo stat -c '%a %U' /etc/ceph/ceph.client.web.secret /etc/ceph/ceph.client.web.keyring",
    )
    assert secret.stdout.split() == ["600", "root"] * 2


def test_web_nodes_may_not_set_quotas(lab: Lab) -> None:
    denied = on(
        lab,
        "web-1-node-0",
        "sudo setfattr -n ceph.quota.max_bytes -v 1048576 /var/www/storage/acme",
    )
    assert "Permission denied" in denied.stdout
