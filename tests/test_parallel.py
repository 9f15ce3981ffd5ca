"""Mapping over shards: in order, lazily, and the same from one process or several."""

from __future__ import annotations

import os
import subprocess
import sys
from itertools import islice

import pytest

from voicetraits.parallel import cores, map_ordered, workers_for


def squared(number: int) -> int:
    return number * number


def process_and_threads(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def inverse(number: int) -> float:
    return 1 / number


def test_one_and_two_workers_give_the_same_results_in_the_order_of_the_jobs():
    expected = [number * number for number in range(20)]
    assert list(map_ordered(squared, range(20), workers=1)) == expected
    assert list(map_ordered(squared, range(20), workers=2)) == expected


def test_no_jobs_give_no_results():
    assert list(map_ordered(squared, [], workers=1)) == []
    assert list(map_ordered(squared, [], workers=2)) == []


def test_one_worker_is_this_process():
    # A lambda cannot travel to another process.
    assert list(map_ordered(lambda _: os.getpid(), [1, 2], workers=1)) == [os.getpid()] * 2


def test_several_workers_are_other_processes_with_one_numeric_thread_each(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    monkeypatch.setenv("OPENBLAS_NUM_THREADS", "3")
    found = list(map_ordered(process_and_threads, range(4), workers=2))
    assert os.getpid() not in {process for process, _ in found}
    assert {threads for _, threads in found} == {"1"}
    assert os.environ["OPENBLAS_NUM_THREADS"] == "3"  # what the user has set stands


@pytest.mark.parametrize("workers", [1, 2])
def test_a_long_stream_of_jobs_is_taken_a_few_at_a_time(workers):
    taken = []

    def jobs():
        for number in range(2000):
            taken.append(number)
            yield number

    results = map_ordered(squared, jobs(), workers=workers)
    assert list(islice(results, 3)) == [0, 1, 4]
    results.close()
    assert len(taken) <= 3 + workers


@pytest.mark.parametrize("workers", [1, 2])
def test_an_error_in_a_job_comes_through_after_the_results_before_it(workers):
    results = map_ordered(inverse, [1, 2, 0, 4], workers=workers)
    assert list(islice(results, 2)) == [1, 0.5]
    with pytest.raises(ZeroDivisionError):
        next(results)


def test_few_jobs_start_no_more_workers_than_they_pay_for(monkeypatch):
    monkeypatch.setattr("voicetraits.parallel.cores", lambda: 4)
    found = [workers_for(jobs, jobs_per_worker=10) for jobs in (0, 1, 19, 20, 39, 40, 1000)]
    assert found == [1, 1, 1, 2, 3, 4, 4]


def test_the_cores_are_those_that_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_setaffinity"):
        code = (
            "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            "from voicetraits.parallel import cores; print(cores())"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert ran.stdout.strip() == b"1"
