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
from conftest import ROOT, wait_for

from voicetraits.errors import InputError
from voicetraits.workers.pool import (
    DeadWorkerError,
    cores,
    map_in_pool,
    map_ordered,
    workers_for,
)

pytestmark = pytest.mark.slow

# For processes that tests start: the code of this work tree, and these tests.
OWN_CODE = {
    **os.environ,
    "PYTHONPATH": os.pathsep.join([str(ROOT / "src"), *sys.path, str(ROOT / "tests")]),
}


def squared(number: int) -> int:
    return number * number


def process_and_threads(_: int) -> tuple[int, str | None]:
    return os.getpid(), os.environ.get("OMP_NUM_THREADS")


def inverse(number: int) -> float:
    return 1 / number


def die_or_wait(job: tuple[int, Path]) -> None:
    number, folder = job
    if number == 1:
        wait_for((folder / "begun").exists)
        os.kill(os.getpid(), signal.SIGKILL)
    (folder / "begun").touch()
    time.sleep(600)


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


def test_one_worker_is_this_process():
    # A lambda cannot travel to another process.
    assert list(map_ordered(lambda _: os.getpid(), [1, 2], workers=1)) == [os.getpid()] * 2


def test_dask_is_not_loaded_without_a_scheduler():
    code = (
        "import sys\nfrom voicetraits.workers.pool import map_ordered\n"
        "list(map_ordered(abs, [1], workers=2)); print({'dask', 'distributed'} & {*sys.modules})"
    )
    ran = subprocess.run(
        [sys.executable, "-c", code], env=OWN_CODE, capture_output=True, check=True
    )
    assert ran.stdout.strip() == b"set()"


def test_the_pool_has_other_processes_with_one_numeric_thread_each(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "3")  # a setting of the user's: it would move last bits
    found = list(pool(process_and_threads, range(4)))
    assert os.getpid() not in {process for process, _ in found}
    assert {threads for _, threads in found} == {"1"}


def test_a_killed_worker_is_one_clear_error_and_ends_the_others(tmp_path, capfd):
    before = set(psutil.Process().children())
    with pytest.raises(DeadWorkerError, match="a worker process died") as error:
        list(map_ordered(die_or_wait, [(number, tmp_path) for number in range(8)], workers=2))
    assert "\n" not in str(error.value)
    assert "VOICETRAITS_WORKERS=1" in str(error.value)
    assert capfd.readouterr() == ("", "")
    left = set(psutil.Process().children()) - before
    assert not [process for process in left if "spawn_main" in str(process.cmdline())]


def waiting_workers(folder: Path) -> tuple[subprocess.Popen[str], list[int]]:
    """A process whose two workers are in the middle of their jobs, and the numbers of those."""
    code = f"""
import pathlib, signal, sys, time, test_parallel
signal.signal(signal.SIGINT, signal.default_int_handler)  # though a shell may have it ignored
from voicetraits.workers.pool import map_ordered
list(map_ordered(test_parallel.name_and_wait, [pathlib.Path({str(folder)!r})] * 2, workers=2))
"""
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        env=OWN_CODE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    wait_for(lambda: len(list(folder.iterdir())) == 2)
    return process, [int(path.name) for path in folder.iterdir()]


def test_ctrl_c_ends_all_processes_and_only_one_of_them_says_so(tmp_path):
    process, workers = waiting_workers(tmp_path)
    os.killpg(process.pid, signal.SIGINT)
    _, said = process.communicate(timeout=300)
    assert process.returncode == -signal.SIGINT
    assert said.count("Traceback") == said.count("KeyboardInterrupt") == 1
    wait_for(lambda: not any(map(psutil.pid_exists, workers)))


def test_workers_end_with_the_process_that_started_them_even_when_it_is_killed(tmp_path):
    process, workers = waiting_workers(tmp_path)
    assert all(map(psutil.pid_exists, workers))
    process.kill()
    process.communicate(timeout=300)
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
        ran = subprocess.run(
            [sys.executable, "-c", code], env=OWN_CODE, capture_output=True, check=True
        )
        assert ran.stdout.strip() == b"1"


def test_the_environment_can_say_how_many_processes(monkeypatch):
    monkeypatch.setenv("VOICETRAITS_WORKERS", "3")
    assert cores() == 3
    assert workers_for(100, jobs_per_worker=4) == 3
    for wrong in ("none", "0", "-1", "1.5"):
        monkeypatch.setenv("VOICETRAITS_WORKERS", wrong)
        with pytest.raises(InputError, match=rf"VOICETRAITS_WORKERS={wrong}: "):
            cores()
