"""For all tests."""

from __future__ import annotations

import signal


def pytest_configure() -> None:
    """Let what the tests start hear Ctrl-C, even where the tests themselves run in the background
    and would not.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
