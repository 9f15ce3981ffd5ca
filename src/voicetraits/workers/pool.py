"""Map a function over jobs: on a Dask cluster, on the cores of this machine, or right here."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor, ThreadPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
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


class DeadWorkerError(InputError):
    """A process of the pool has ended in the middle of a job."""


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
    """Yield `function(job)` for every job, in the order of the jobs.

    The work goes to the cluster of Dask whose scheduler DASK_SCHEDULER_ADDRESS names, else to
    processes of this machine, as `map_in_pool` says. There, the job of a worker that dies is done
    again by another.

    Args:
        function: A module-level function; it and the jobs travel to the workers by pickle.
        jobs: What to work on. Only a few are taken ahead of the results, so that a stream of any
            length passes through in little memory.
        workers: Processes, where there is no cluster; by default one per core.

    Raises:
        DaskError: If the cluster cannot be used, or a job has taken too many workers with it.
        DeadWorkerError: If a process of this machine died. An error of the function itself comes
            through as it is.
    """
    address = os.environ.get(SCHEDULER_ADDRESS, "")
    if not address:
        yield from map_in_pool(function, jobs, workers=workers)
        return
    pin_environment()
    # Loading Dask takes most of a second.
    from voicetraits.workers.cluster import cluster_of

    with cluster_of(address) as cluster:
        yield from _in_order(
            lambda job: cluster.submit(function, job), jobs, workers=cluster.workers
        )


def map_in_pool(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """The same on this machine, cluster or not; with one worker, in this process.

    For what lies in a temporary folder of this machine, such as the voices of the sample corpus.

    Raises:
        DeadWorkerError: If a process died, which ends the others.
    """
    workers = cores() if workers is None else workers
    if workers == 1:
        keep_freed_memory()
        yield from map(function, jobs)
        return
    pin_environment()
    with _pool(workers) as submit:
        yield from _in_order(lambda job: submit(function, job), jobs, workers=lambda: workers)


def map_in_threads(
    function: Callable[[Job], Result], jobs: Iterable[Job], *, workers: int | None = None
) -> Iterator[Result]:
    """The same in threads of this process, for work that libraries in C do outside Python.

    They start at once, and share what has been loaded.
    """
    threads = cores() if workers is None else workers
    with ThreadPoolExecutor(threads) as pool:
        try:
            yield from _in_order(
                lambda job: pool.submit(function, job), jobs, workers=lambda: threads
            )
        finally:
            pool.shutdown(cancel_futures=True)


@contextmanager
def _pool(workers: int) -> Iterator[Callable[..., Future[Any]]]:
    """Give what hands a call to processes; when this ends, by whatever, so have they."""
    others = multiprocessing.active_children()
    # Forking a process that may hold threads is unsafe; a spawned worker starts clean.
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(workers, mp_context=context, initializer=_begin_worker) as pool:

        def submit(*call: Any) -> Future[Any]:
            # This may start a process, which inherits the mask. Ctrl-C reaches all processes of a
            # terminal at once; the one that the user started answers, and it alone.
            before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
            try:
                return pool.submit(*call)
            finally:
                signal.pthread_sigmask(signal.SIG_SETMASK, before)

        try:
            yield submit
        except BaseException as error:
            for child in multiprocessing.active_children():
                if child not in others:
                    child.kill()  # the end of the pool would wait for the jobs in hand
            if isinstance(error, BrokenProcessPool):
                raise DeadWorkerError(
                    "a worker process died, killed perhaps because memory ran out; run the same "
                    f"command again, with {WORKERS}=1 to need less memory"
                ) from error
            raise


def _begin_worker() -> None:
    keep_freed_memory()
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    """End this process when the one that started it is gone, even by SIGKILL.

    A worker holds both ends of the pipe that its jobs come by, so it would wait for ever.
    """
    parent = multiprocessing.parent_process()
    assert parent is not None
    parent.join()
    os._exit(1)


def _in_order(
    submit: Callable[[Job], Any], jobs: Iterable[Job], *, workers: Callable[[], int]
) -> Iterator[Any]:
    """Results of the futures that `submit` returns.

    Two jobs are handed in for each worker: one to work on, one at hand.
    """
    pending: deque[Any] = deque()
    for job in jobs:
        pending.append(submit(job))
        if len(pending) > 2 * workers():
            yield pending.popleft().result()
    while pending:
        yield pending.popleft().result()
