"""Mapping over jobs: in order, lazily, and the same from one process or several."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from itertools import islice
from pathlib import Path

import psutil
import pytest
from conftest import wait_for

from voicetraits.errors import InputError
from voicetraits.workers.pool import cores, map_in_pool, map_ordered, workers_for

pytestmark = pytest.mark.slow

MEGABYTES = 12


def squared(number: int) -> int:
    return number * number


def process_and_threads(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def inverse(number: int) -> float:
    return 1 / number


def size_unless_killed(job: tuple[int, bytes, Path]) -> tuple[int, int, int, str | None]:
    """Kill the worker, but for the first time only, where the job is number 3."""
    number, data, killed = job
    if number == 3 and not killed.exists():
        killed.touch()
        os.kill(os.getpid(), signal.SIGKILL)
    return number, len(data), *process_and_threads(number)


def name_and_wait(folder: Path) -> None:
    (folder / str(os.getpid())).touch()
    time.sleep(600)


def one_process(function, jobs):
    return map_ordered(function, jobs, workers=1)


def pool(function, jobs):
    return map_in_pool(function, jobs, workers=2)


@pytest.mark.parametrize("mapped", [one_process, pool])
def test_results_come_in_order_from_a_few_jobs_at_a_time_up_to_an_error(mapped):
    taken = []

    def jobs():
        for number in [*range(1, 9), 0, *range(2000)]:
            taken.append(number)
            yield number

    results = mapped(inverse, jobs())
    assert list(islice(results, 8)) == [1 / number for number in range(1, 9)]
    assert len(taken) <= 8 + 5
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert len(taken) <= 9 + 5


def test_no_jobs_give_no_results():
    assert list(one_process(squared, [])) == []
    assert list(pool(squared, [])) == []


def test_one_worker_is_this_process_and_does_not_load_dask():
    # A lambda cannot travel to another process.
    assert list(map_ordered(lambda _: os.getpid(), [1, 2], workers=1)) == [os.getpid()] * 2
    code = (
        "import sys\nfrom voicetraits.workers.pool import map_ordered\n"
        "list(map_ordered(abs, [1], workers=1)); print({'dask', 'distributed'} & {*sys.modules})"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
    assert ran.stdout.strip() == b"set()"


def test_the_pool_has_other_processes_with_one_numeric_thread_each(monkeypatch):
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    found = list(pool(process_and_threads, range(4)))
    assert os.getpid() not in {process for process, _ in found}
    assert {threads for _, threads in found} == {"1"}


def test_a_killed_worker_costs_no_result_and_nothing_is_said(tmp_path, monkeypatch, capfd):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # a setting of the user's: it would move last bits
    data = bytes(MEGABYTES * 10**6)
    jobs = ((number, data, tmp_path / "killed") for number in range(8))
    found = list(map_ordered(size_unless_killed, jobs, workers=2))
    assert [result[:2] for result in found] == [(number, len(data)) for number in range(8)]
    assert (tmp_path / "killed").exists()
    assert os.getpid() not in {process for *_, process, _ in found}
    assert {threads for *_, threads in found} == {"1"}
    # Neither the large jobs, nor the death, nor the end.
    assert capfd.readouterr() == ("", "")


def test_ctrl_c_ends_all_processes_and_only_one_of_them_says_so(tmp_path):
    code = f"""
import pathlib, signal, sys, time, test_parallel
signal.signal(signal.SIGINT, signal.default_int_handler)  # though a shell may have it ignored
from voicetraits.workers.pool import map_ordered
list(map_ordered(test_parallel.name_and_wait, [pathlib.Path({str(tmp_path)!r})] * 2, workers=2))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([*sys.path, str(Path(__file__).parent)])},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(list(tmp_path.iterdir())) == 2)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert said.count("Traceback") == said.count("KeyboardInterrupt") == 1
    workers = [int(path.name) for path in tmp_path.iterdir()]
    wait_for(lambda: not any(map(psutil.pid_exists, workers)))


def test_few_jobs_start_no_more_workers_than_they_pay_for(monkeypatch):
    monkeypatch.setattr("voicetraits.workers.pool.cores", lambda: 4)
    found = [workers_for(jobs, jobs_per_worker=10) for jobs in (0, 1, 19, 20, 39, 40, 1000)]
    assert found == [1, 1, 1, 2, 3, 4, 4]


def test_the_cores_are_those_that_this_process_may_use():
    assert 1 <= cores() <= (os.cpu_count() or 1)
    if hasattr(os, "sched_setaffinity"):
        code = (
            "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
            "from voicetraits.workers.pool import cores; print(cores())"
        )
        ran = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        assert ran.stdout.strip() == b"1"


def test_the_environment_can_say_how_many_processes(monkeypatch):
    monkeypatch.setenv("VOICETRAITS_WORKERS", "3")
    assert cores() == 3
    assert workers_for(100, jobs_per_worker=4) == 3
    for wrong in ("none", "0", "-1", "1.5"):
        monkeypatch.setenv("VOICETRAITS_WORKERS", wrong)
        with pytest.raises(InputError, match=rf"VOICETRAITS_WORKERS={wrong}: "):
            cores()
