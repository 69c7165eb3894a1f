"""Answers that are not what cephctl knows."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

import pytest

from cephctl.ceph.ask import ask
from cephctl.ceph.commands import Cluster
from cephctl.ceph.target import Target
from cephctl.errors import UnexpectedAnswer
from tests.cluster.conftest import Site


def a_key_that_is_not_there(cluster: Cluster) -> Generator[Any, None, None]:
    yield cluster.command("status")["nosuchkey"]


def a_command_that_is_not_there(cluster: Cluster) -> Generator[Any, None, None]:
    yield cluster.command("no such command")


@pytest.mark.parametrize("question", [a_key_that_is_not_there, a_command_that_is_not_there])
def test_the_error_names_the_command_and_the_release(site: Site, question: Any) -> None:
    conf, keyring = site.cluster.operator_conf, site.cluster.keyring("client.cephctl")
    target = Target(str(conf), "client.cephctl", str(keyring), None, timeout=5)
    with pytest.raises(UnexpectedAnswer, match=r"nosuchkey|no such command") as caught:
        list(ask(target, question))
    assert "ceph version 1" in (caught.value.hint or "")
