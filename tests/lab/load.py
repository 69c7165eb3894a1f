"""Ask for a page of a tenant through HAProxy, again and again, until SIGTERM or 20 minutes are
over; then tell how it went.
"""

from __future__ import annotations

import http.client
import json
import signal
import sys
import threading
import time
from typing import Any

HOST, PAGE = "site.acme.test", b"<h1>acme</h1>\n"
LONGEST = 1200.0
EVERY = 0.05


def get(address: str) -> str | None:
    """What was wrong with one request; None when nothing was."""
    connection = http.client.HTTPConnection(address, 80, timeout=20)
    try:
        connection.request("GET", "/", headers={"Host": HOST})
        answer = connection.getresponse()
        body = answer.read()
    except (OSError, http.client.HTTPException) as error:
        return f"{type(error).__name__}: {error}"
    finally:
        connection.close()
    return None if (answer.status, body) == (200, PAGE) else f"{answer.status}: {body[:60]!r}"


def main() -> None:
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    failures: list[str] = []
    taken: list[float] = []
    end = time.monotonic() + LONGEST
    print("ready", flush=True)
    while not stop.is_set() and time.monotonic() < end:
        begun = time.monotonic()
        if problem := get(sys.argv[1]):
            failures.append(f"{time.strftime('%H:%M:%S')} {problem}")
        taken.append(time.monotonic() - begun)
        stop.wait(EVERY)
    told: dict[str, Any] = {
        "requests": len(taken),
        "failures": failures,
        "slowest": round(max(taken), 3),
    }
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
