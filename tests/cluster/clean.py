"""Ask from a process that never held Ceph connections itself: a fork of one that does, as a test's
may, inherits locks nobody releases.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from functools import cache
from multiprocessing import get_context
from typing import Any

from cephctl.ceph.ask import Question, ask
from cephctl.ceph.target import Target


def ask_cleanly(target: Target, question: Question) -> list[Any]:
    return process().submit(answers, target, question).result(timeout=120)


@cache
def process() -> ProcessPoolExecutor:
    return ProcessPoolExecutor(1, mp_context=get_context("spawn"))


def answers(target: Target, question: Question) -> list[Any]:
    return list(ask(target, question))
