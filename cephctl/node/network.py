"""Which of Ceph's daemons this node reaches. Each of them speaks first, so one that stays silent is
frozen.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import time

SECONDS = 2.0
ANSWERS = {
    errno.ECONNREFUSED: "refused",
    errno.ETIMEDOUT: "timeout",
    errno.EHOSTUNREACH: "no route",
    errno.ENETUNREACH: "no route",
}


def reach(addresses: list[tuple[str, int]], seconds: float = SECONDS) -> dict[str, str]:
    """All at once: "host:port" to "ok", "silent" (connected, no banner), "refused", "timeout", "no
    route" or an errno's name.
    """
    answers: dict[str, str] = {}
    waiting: dict[int, socket.socket] = {}
    names: dict[int, str] = {}
    poll = select.poll()
    for host, port in addresses:
        name = f"{host}:{port}"
        try:
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            sock.setblocking(False)
            code = sock.connect_ex((host, port))
        except OSError as error:
            answers[name] = word(error.errno)
            continue
        if code not in (0, errno.EINPROGRESS):
            answers[name] = word(code)
            sock.close()
            continue
        waiting[sock.fileno()], names[sock.fileno()] = sock, name
        poll.register(sock, select.POLLOUT)
    end = time.monotonic() + seconds
    connected = set()
    while waiting and time.monotonic() < end:
        for descriptor, _ in poll.poll(max(0, int((end - time.monotonic()) * 1000))):
            sock = waiting[descriptor]
            code = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            if not code and descriptor not in connected:
                connected.add(descriptor)
                poll.modify(sock, select.POLLIN)
                continue
            answers[names[descriptor]] = word(code) if code else banner(sock)
            poll.unregister(sock)
            sock.close()
            del waiting[descriptor]
    for descriptor, sock in waiting.items():
        answers[names[descriptor]] = "silent" if descriptor in connected else "timeout"
        sock.close()
    return answers


def banner(sock: socket.socket) -> str:
    try:
        greeting = sock.recv(16)
    except OSError as error:
        return word(error.errno)
    return "ok" if greeting.startswith(b"ceph v") else "closed" if not greeting else "not Ceph"


def word(code: int | None) -> str:
    return ANSWERS.get(code or 0) or errno.errorcode.get(code or 0, os.strerror(code or 0))
