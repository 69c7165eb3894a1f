"""Waiting and trying again, all of it on the operator's side: tenacity, with a deadline always."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")

POLL_SECONDS = 0.5


def wait_for(
    look: Callable[[], T],
    seconds: float,
    every: float = POLL_SECONDS,
    sleep: Callable[[float], None] = time.sleep,
    until: Callable[[T], object] = bool,
) -> T:
    """Look until what `look` returns is true (or `until` says so), or the seconds are over; the
    last that it returned.

    `sleep` lets time pass: a run's own keeps its lock meanwhile. What `look` raises is raised at
    once.
    """
    from tenacity import Retrying, retry_if_result, stop_after_delay, wait_fixed

    looking = Retrying(
        stop=stop_after_delay(seconds),
        wait=wait_fixed(every),
        retry=retry_if_result(lambda found: not until(found)),
        sleep=sleep,
        retry_error_callback=lambda state: state.outcome and state.outcome.result(),
        reraise=True,
    )
    return looking(look)


def try_again(
    work: Callable[[], T],
    passing: Callable[[BaseException], bool],
    seconds: float,
    sleep: Callable[[float], None] = time.sleep,
) -> T:
    """What `work` returns, tried again after 0.2, 0.4, 0.8 … s while its error is one that passes.

    The last error is raised when the seconds are over.
    """
    from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_exponential

    longest = min(2.0, seconds / 4)
    trying = Retrying(
        stop=stop_after_delay(seconds - longest),
        wait=wait_exponential(multiplier=0.2, max=longest),
        retry=retry_if_exception(passing),
        sleep=sleep,
        reraise=True,
    )
    return trying(work)
