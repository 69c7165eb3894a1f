"""Which daemons are alive enough to say hello: every msgr server speaks first, a frozen one only lets connect."""

from __future__ import annotations

import contextlib
import errno
import os
import selectors
import socket
import time
from collections.abc import Iterable

SILENT = "accepts connections but says nothing (frozen or overloaded)"
UNREACHABLE = "does not answer (host or network down)"


def silences(addresses: Iterable[tuple[str, int]], seconds: float) -> dict[tuple[str, int], str]:
    """Address → what is wrong, for each that did not send its banner in time. All are asked at once."""
    trouble: dict[tuple[str, int], str] = {}
    waiting: dict[socket.socket, tuple[str, int]] = {}
    with selectors.DefaultSelector() as selector, contextlib.ExitStack() as sockets:
        for address in dict.fromkeys(addresses):
            try:
                waiting[channel := sockets.enter_context(connecting(address))] = address
                selector.register(channel, selectors.EVENT_READ)
            except OSError as error:
                trouble[address] = (error.strerror or str(error)).lower()
        end = time.monotonic() + seconds
        while waiting and (left := end - time.monotonic()) > 0:
            for key, _ in selector.select(left):
                assert isinstance(key.fileobj, socket.socket)
                selector.unregister(key.fileobj)
                if problem := greeting_problem(key.fileobj):
                    trouble[waiting[key.fileobj]] = problem
                del waiting[key.fileobj]
        for channel, address in waiting.items():
            trouble[address] = SILENT if is_connected(channel) else UNREACHABLE
    return trouble


def connecting(address: tuple[str, int]) -> socket.socket:
    """A socket on its way to an address."""
    family, kind, protocol, _, target = socket.getaddrinfo(*address, type=socket.SOCK_STREAM)[0]
    channel = socket.socket(family, kind, protocol)
    channel.setblocking(False)
    if (code := channel.connect_ex(target)) not in (0, errno.EINPROGRESS):
        channel.close()
        raise OSError(code, os.strerror(code))
    return channel


def greeting_problem(channel: socket.socket) -> str | None:
    """None when the peer spoke; else why it cannot."""
    try:
        return None if channel.recv(9) else "closes connections"
    except OSError as error:
        return (error.strerror or str(error)).lower()


def is_connected(channel: socket.socket) -> bool:
    with contextlib.suppress(OSError):
        channel.getpeername()
        return True
    return False
