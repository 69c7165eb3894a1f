"""HAProxy's admin socket, while it is being reloaded."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from cephctl.haproxy import HAProxy, HAProxyFailed

STAT = "# pxname,svname,scur,status,check_status\nweb,web-1,0,UP,L7OK\n"


def serve(path: Path, answers: Iterator[str]) -> None:
    """Answer one connection after the other on a unix socket; an empty answer closes it."""
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path))
    listener.listen()
    with listener:
        for answer in answers:
            channel, _ = listener.accept()
            with channel:
                channel.recv(1024)
                channel.sendall(answer.encode())


def test_a_socket_that_appears_is_waited_for(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.sock"

    def late() -> None:
        time.sleep(0.5)
        serve(path, iter([STAT]))

    threading.Thread(target=late, daemon=True).start()
    assert HAProxy(str(path), None).server("web", "web-1").is_up


def test_a_connection_that_is_closed_is_tried_again(tmp_path: Path) -> None:
    path = tmp_path / "haproxy.sock"
    threading.Thread(target=serve, args=(path, iter(["", "", STAT])), daemon=True).start()
    assert HAProxy(str(path), None).server("web", "web-1").is_up


def test_one_that_never_comes_is_an_error(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cephctl.haproxy.SECONDS", 0.5)
    with pytest.raises(HAProxyFailed, match="No such file"):
        HAProxy(str(tmp_path / "none"), None).server("web", "web-1")
