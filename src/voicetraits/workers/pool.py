"""Map a function over jobs: on a Dask cluster, on the cores of this machine, or right here."""

from __future__ import annotations

import multiprocessing
import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from typing import Any, TypeVar

from voicetraits.errors import InputError
from voicetraits.workers.environment import pin_environment
from voicetraits.workers.memory import keep_freed_memory

Job = TypeVar("Job")
Result = TypeVar("Result")

# Dask's own convention: where it is set, the work goes to the cluster of that scheduler.
SCHEDULER_ADDRESS = "DASK_SCHEDULER_ADDRESS"
# For who runs several stages beside each other, or shares the machine.
WORKERS = "VOICETRAITS_WORKERS"


def cores() -> int:
    """Cores that this process may use: VOICETRAITS_WORKERS where that is set, else all.

    Raises:
        InputError: If it is set to anything but a positive number.
    """
    if wanted := os.environ.get(WORKERS):
        if not wanted.isdecimal() or int(wanted) < 1:
            raise InputError(f"{WORKERS}={wanted}: set it to a number of processes, or unset it")
        return int(wanted)
    return machine_cores()


def machine_cores() -> int:
    """Cores of this machine that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def workers_for(jobs: int, *, jobs_per_worker: int) -> int:
    """Processes worth starting: one per core, and none for fewer jobs than pay for its start."""
    return max(1, min(cores(), jobs // jobs_per_worker))


def map_ordered(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """Yield `function(job)` for every job, in the order of the jobs, from workers of Dask.

    They are those of the cluster whose scheduler DASK_SCHEDULER_ADDRESS names, else processes of
    this machine. Only a few jobs are taken from the iterable ahead of the results, so that a
    stream of any length passes through in little memory. The job of a worker that dies is done
    again by another.

    Args:
        function: A module-level function; it and the jobs travel to the workers by pickle.
        jobs: What to work on.
        workers: Processes, where there is no cluster; by default one per core. With one, the work
            stays in this process, and Dask is not even loaded.

    Raises:
        DaskError: If the cluster cannot be used, or a job has taken too many workers with it. An
            error of the function itself comes through as it is.
    """
    address = os.environ.get(SCHEDULER_ADDRESS, "")
    workers = cores() if workers is None else workers
    if workers == 1 and not address:
        yield from _here(function, jobs)
        return
    pin_environment()
    from voicetraits.workers.cluster import cluster_of, local_cluster

    with cluster_of(address) if address else local_cluster(workers) as cluster:
        # Two jobs for each worker: one to work on, one at hand.
        yield from _in_order(
            lambda job: cluster.submit(function, job), jobs, ahead=lambda: 2 * cluster.workers()
        )


def map_in_pool(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """The same from a plain pool of processes, always of this machine.

    For the sample corpus: its voices lie in a temporary folder of this machine, and it is done in
    less time than it would take to start Dask four times. A worker that dies ends it.
    """
    workers = cores() if workers is None else workers
    if workers == 1:
        yield from _here(function, jobs)
        return
    pin_environment()
    # Forking a process that may hold threads is unsafe; a spawned worker starts clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=keep_freed_memory) as pool:
        try:
            yield from _in_order(
                lambda job: pool.submit(function, job), jobs, ahead=lambda: workers
            )
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _here(function: Callable[[Job], Result], jobs: Iterable[Job]) -> Iterator[Result]:
    keep_freed_memory()
    yield from map(function, jobs)


def _in_order(
    submit: Callable[[Job], Any], jobs: Iterable[Job], *, ahead: Callable[[], int]
) -> Iterator[Any]:
    """Results of the futures that `submit` returns, with `ahead()` jobs handed in before them."""
    pending: deque[Any] = deque()
    for job in jobs:
        pending.append(submit(job))
        if len(pending) > ahead():
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
