"""Ask the cluster a question in a worker; when it does not answer, find out which daemon is silent,
and clean up.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from cephctl.ceph.diagnose import crashed, diagnosed, interrupted
from cephctl.ceph.worker import Limits, Report, Worker, worker
from cephctl.errors import Crashed, Unanswered, UnexpectedAnswer

if TYPE_CHECKING:
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.target import Target

Question = Callable[["Cluster"], Generator[Any, None, None]]


def ask(target: Target, question: Question, debug: bool = False) -> Iterator[Any]:
    """Send the question off; what it yields comes with the iteration.

    Every silence is bounded by the target's timeout, and Ctrl-C works at any time.
    """
    child = worker()
    child.start(partial(answer, target, question), Limits(target.timeout), debug)
    return answers(target, child)


def ask_quickly(target: Target, question: Question, seconds: float) -> Iterator[Any]:
    """The same for completion: over after these seconds, without asking why."""
    child = worker()
    child.start(partial(answer, target, question), Limits(seconds, total=seconds, grace=0.2))
    return child.results()


def answers(target: Target, child: Worker) -> Iterator[Any]:
    try:
        yield from child.results()
    except Unanswered as silence:
        raise diagnosed(target, silence, child.session) from None
    except Crashed as crash:
        raise crashed(target, crash, child.session) from None
    except KeyboardInterrupt:
        raise interrupted(target, child.session) from None


def answer(target: Target, question: Question, report: Report) -> Generator[Any, None, None]:
    """The worker's side."""
    from cephctl.ceph.commands import Cluster
    from cephctl.ceph.login import check

    with Cluster(check(target), report).connected() as cluster:
        try:
            yield from question(cluster)
        except UnexpectedAnswer as error:
            raise UnexpectedAnswer(
                error.message, f"the cluster runs {cluster.version()}; cephctl knows 16.2 and 18.2"
            ) from None
