from __future__ import annotations

from collections.abc import Callable

import pytest

from cephctl.waiting import try_again, wait_for


def counter(values: list[int]) -> Callable[[], int]:
    return lambda: values.pop(0)


def test_it_looks_until_the_answer_is_true() -> None:
    slept: list[float] = []
    assert wait_for(counter([0, 0, 5, 6]), 60, every=0.25, sleep=slept.append) == 5
    assert slept == [0.25, 0.25]


def test_after_the_deadline_the_last_answer_counts() -> None:
    assert wait_for(counter([0, 1]), 0) == 0


def test_an_error_while_looking_is_the_callers() -> None:
    with pytest.raises(IndexError):
        wait_for(counter([]), 60)


def test_what_passes_is_tried_again_and_the_rest_is_not() -> None:
    slept: list[float] = []
    failures: list[BaseException] = [ConnectionResetError(), ConnectionResetError()]

    def work() -> str:
        if failures:
            raise failures.pop(0)
        return "done"

    assert try_again(work, lambda e: isinstance(e, OSError), 60, sleep=slept.append) == "done"
    assert slept == [0.2, 0.4]
    failures.append(ValueError("not passing"))
    with pytest.raises(ValueError, match="not passing"):
        try_again(work, lambda e: isinstance(e, OSError), 60)
    failures.append(ConnectionResetError("the last one"))
    with pytest.raises(ConnectionResetError, match="the last one"):
        try_again(work, lambda e: isinstance(e, OSError), 0)
