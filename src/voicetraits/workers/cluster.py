"""Jobs on the workers of a Dask cluster.

Loading this module takes most of a second: import it where it is used.
"""

from __future__ import annotations

import pickle
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any, NamedTuple

import dask
from distributed import Client
from distributed.client import Future, FutureCancelledError
from distributed.comm import get_address_host_port
from distributed.scheduler import KilledWorker

from voicetraits.errors import InputError
from voicetraits.workers.memory import keep_freed_memory

_CONNECT_SECONDS = 10.0
_GONE = "the Dask scheduler has gone away; start it again, then run the same command again"
_QUIET = {
    # A job carries the clips of its shard with it, some 10 MB: they lie with the scheduler until
    # it is done, so that the death of a worker does not lose them.
    "distributed.admin.large-graph-warning-threshold": "1 GiB",
}


class DaskError(InputError):
    """A cluster that cannot be used, or a job that no worker survives."""


class Cluster(NamedTuple):
    """Workers to hand jobs to."""

    client: Client

    def submit(self, function: Callable[[Any], Any], job: Any) -> _Answer:
        """Hand in a job; its result is that of the function, later."""
        # Pickled here, because Dask would search the clips in the job for jobs of its own.
        payload = pickle.dumps((function, job), pickle.HIGHEST_PROTOCOL)
        return _Answer(self.client.submit(_run, payload, pure=False))

    def workers(self) -> int:
        """Workers there are now, one at least."""
        return max(1, len(_threads(self.client)))


class _Answer(NamedTuple):
    """The result of a job, once it is there."""

    future: Future

    def result(self) -> Any:
        try:
            return self.future.result()
        except KilledWorker as error:
            raise DaskError(
                f"every worker died that was given one of the jobs, the last at "
                f"{error.last_worker.address}; do the workers have enough memory?"
            ) from error
        except FutureCancelledError as error:
            raise DaskError(_GONE) from error


def _threads(client: Client) -> dict[str, int]:
    """Number of threads by worker."""
    try:
        return client.nthreads()
    except OSError as error:
        raise DaskError(_GONE) from error


@contextmanager
def cluster_of(address: str) -> Iterator[Cluster]:
    """The workers of a scheduler that runs already.

    Args:
        address: As in DASK_SCHEDULER_ADDRESS, e.g. "tcp://10.0.0.1:8786".

    Raises:
        DaskError: If no scheduler answers there, or a worker has more than one thread.
    """
    with dask.config.set(_QUIET):
        try:
            get_address_host_port(address)  # a client of no address is slow to end
            client = Client(address, timeout=_CONNECT_SECONDS, set_as_default=False)
        except (OSError, ValueError) as error:
            raise DaskError(
                f"DASK_SCHEDULER_ADDRESS={address}: no Dask scheduler answers there; start one "
                "(docs/cluster.md), or unset the variable to work on this machine"
            ) from error
        with client:
            threads = _threads(client)
            if not threads:
                print(f"waiting for workers to join {address}", file=sys.stderr, flush=True)
            for worker, count in threads.items():
                if count > 1:
                    raise DaskError(
                        f"{worker}: a Dask worker with {count} threads; start it with "
                        "--nthreads 1 --nworkers -1, which makes one process per core"
                    )
            yield Cluster(client)


def _run(payload: bytes) -> Any:
    """On the worker."""
    _prepare_process()
    function, job = pickle.loads(payload)
    return function(job)


@cache
def _prepare_process() -> None:
    keep_freed_memory()
