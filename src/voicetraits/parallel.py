"""Map a function over shards on the cores of this machine."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from typing import TypeVar

from voicetraits.memory import keep_freed_memory
from voicetraits.threads import one_numeric_thread

Job = TypeVar("Job")
Result = TypeVar("Result")


def cores() -> int:
    """Cores that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_for(jobs: int, *, jobs_per_worker: int) -> int:
    """Processes worth starting: one per core, and none for fewer jobs than pay for its start."""
    return max(1, min(cores(), jobs // jobs_per_worker))


def map_ordered(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """Yield `function(job)` for every job, in the order of the jobs, from worker processes.

    Only a few jobs are taken from the iterable ahead of the results, so that a stream of any
    length passes through in little memory.

    Args:
        function: A module-level function; it and the jobs travel to the workers by pickle.
        jobs: What to work on.
        workers: Processes; by default one per core. With one, the work stays in this process.
    """
    workers = cores() if workers is None else workers
    if workers == 1:
        keep_freed_memory()
        yield from map(function, jobs)
        return
    one_numeric_thread()
    # Forking a process that may hold threads is unsafe; a spawned worker starts clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=keep_freed_memory) as pool:
        pending: deque[Future[Result]] = deque()
        try:
            for job in jobs:
                pending.append(pool.submit(function, job))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
