"""A cluster of Dask: a scheduler and two workers, in processes as they would be elsewhere."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import Any

import pytest
from conftest import ROOT, audio_file, clips_of_one_speaker, folder_bytes, tone, wait_for

from voicetraits.audio.convert import convert
from voicetraits.errors import InputError
from voicetraits.features.extract import extract
from voicetraits.params import Clip, Extract
from voicetraits.storage.files import DiskFullError, whole_file
from voicetraits.storage.resume import map_shards, resumable_folder
from voicetraits.workers.pool import SCHEDULER_ADDRESS, map_ordered

pytestmark = pytest.mark.slow

CLIP = Clip(sample_rate=16000, seconds=0.5, longest=0.5)


def start(folder: Path, *arguments: str) -> subprocess.Popen[bytes]:
    """A process of Dask, in a folder of its own, in which relative paths lead nowhere."""
    paths = [str(ROOT / "src"), str(ROOT / "tests"), *sys.path]
    command = [sys.executable, "-m", "dask", *arguments, "--no-dashboard"]
    with (folder / f"{arguments[0]}.log").open("ab") as log:
        env = {**os.environ, "PYTHONPATH": os.pathsep.join(paths)}
        return subprocess.Popen(command, cwd=folder, env=env, stdout=log, stderr=log)


def start_scheduler(folder: Path) -> tuple[subprocess.Popen[bytes], str]:
    """A scheduler and its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    process = start(folder, "scheduler", "--host", "127.0.0.1", "--port", port)
    return process, f"tcp://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def address(tmp_path_factory) -> Iterator[str]:
    """Of the scheduler."""
    folder = tmp_path_factory.mktemp("cluster")
    scheduler, address = start_scheduler(folder)
    workers = start(folder, "worker", address, "--nthreads", "1", "--nworkers", "2")
    try:
        log = folder / "scheduler.log"
        wait_for(lambda: log.read_text().count("Register worker") == 2)
        yield address
    finally:
        for process in (scheduler, workers):
            process.kill()  # the workers end with the process that has started them
            process.wait()


@pytest.fixture
def on_cluster(address, monkeypatch) -> None:
    """The work goes to the cluster, whatever the number of workers that is asked for."""
    monkeypatch.setenv(SCHEDULER_ADDRESS, address)


def inverse_and_process(number: int) -> tuple[float, int]:
    return 1 / number, os.getpid()


def refuse(number: int) -> int:
    if number == 1:
        raise InputError("number 1 cannot be used")
    return number


def fill_disk(path: Path) -> None:
    with whole_file(path) as partial:
        partial.symlink_to("/dev/full")
        partial.write_bytes(b"more than there is room for")


@pytest.mark.usefixtures("on_cluster")
def test_results_come_in_order_from_a_few_jobs_at_a_time_up_to_an_error(capfd):
    taken = []

    def jobs():
        for number in [*range(1, 9), 0, *range(2000)]:
            taken.append(number)
            yield number

    results = map_ordered(inverse_and_process, jobs(), workers=1)
    found = list(islice(results, 8))
    assert [result for result, _ in found] == [1 / number for number in range(1, 9)]
    assert os.getpid() not in {process for _, process in found}
    assert len(taken) <= 8 + 5
    with pytest.raises(ZeroDivisionError):
        next(results)
    assert capfd.readouterr() == ("", "")


@pytest.mark.usefixtures("on_cluster")
def test_our_own_errors_come_from_a_worker_as_they_are(tmp_path):
    with pytest.raises(InputError, match=r"^number 1 cannot be used$"):
        list(map_ordered(refuse, range(3)))
    with pytest.raises(DiskFullError, match=r"big\.bin: cannot be written, no space left"):
        list(map_ordered(fill_disk, [tmp_path / "big.bin"]))
    assert list(tmp_path.iterdir()) == []


def test_the_shards_are_those_that_one_process_makes(address, tmp_path, monkeypatch):
    monkeypatch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 3)
    monkeypatch.chdir(tmp_path)
    names = [f"clip_{number}.wav" for number in range(10)]
    files = [
        (name, audio_file(tone(200 + 20 * number, 16000), 16000))
        for number, name in enumerate(names)
    ]
    files[4] = (names[4], b"no clip")
    table = clips_of_one_speaker(names, duration=0.5)
    for place in ("here", "cluster"):
        if place == "cluster":
            monkeypatch.setenv(SCHEDULER_ADDRESS, address)
        # Relative, as the stages give it.
        wavs = Path(place, "wav", "es")
        convert(table, files, CLIP, locale="es", out=wavs, workers=1)
        for representation in ("features", "spectrogram"):
            out = Path(place, representation, "es")
            analysis = Extract(window=0.05, frames=16)
            extract(wavs, representation, clip=CLIP, analysis=analysis, out=out, workers=1)
    assert len(folder_bytes(Path("here"))) == 4 + 4 + 2 * 4
    assert folder_bytes(Path("cluster")) == folder_bytes(Path("here"))


class _Job(dict[str, Any]):
    """A shard for `map_shards`."""

    @property
    def path(self) -> Path:
        return self["path"]

    def made_from(self) -> list[str]:
        return [self.path.name]


def write_or_die(job: _Job) -> str:
    if job.path.name == "2":
        os.kill(os.getpid(), signal.SIGKILL)
    job.path.write_text(job.path.name)
    return job.path.name


@pytest.mark.usefixtures("on_cluster")
def test_a_shard_that_kills_its_worker_three_times_is_named(tmp_path):
    out = tmp_path / "out"
    with (
        pytest.raises(InputError, match=r"out\.partial: shard 2 was begun 3 times") as error,
        resumable_folder(out) as folder,
    ):
        jobs = [_Job(path=folder / str(number)) for number in range(9)]
        list(map_shards(write_or_die, jobs, folder, label="test", total=9))
    assert "\n" not in str(error.value)
    assert not out.exists()


@pytest.mark.usefixtures("on_cluster")
@pytest.mark.parametrize("what", ["folder", "code"])
def test_a_worker_that_differs_is_refused(tmp_path, monkeypatch, what):
    with resumable_folder(tmp_path / "out") as folder:
        if what == "code":
            monkeypatch.setattr("voicetraits.storage.resume.code_and_packages", lambda: "other")
        place = folder if what == "code" else tmp_path / "not there"
        expected = "runs other code" if what == "code" else "not there: not there on the worker"
        with pytest.raises(InputError, match=expected):
            list(map_shards(write_or_die, [_Job(path=place / "1")], folder, label="", total=1))


def test_workers_with_several_threads_are_refused(monkeypatch):
    from distributed import LocalCluster

    options = {"processes": False, "protocol": "tcp", "host": "127.0.0.1"}
    with LocalCluster(n_workers=1, threads_per_worker=2, dashboard_address=":0", **options) as few:
        monkeypatch.setenv(SCHEDULER_ADDRESS, few.scheduler_address)
        with pytest.raises(InputError, match="a Dask worker with 2 threads; start it with --nth"):
            list(map_ordered(refuse, [0]))


def test_without_workers_it_waits_and_without_a_scheduler_it_ends(tmp_path, monkeypatch, capfd):
    scheduler, address = start_scheduler(tmp_path)
    monkeypatch.setenv(SCHEDULER_ADDRESS, address)
    said = []

    def kill_when_waiting():
        wait_for(lambda: said.append(capfd.readouterr().err) or any(said))
        scheduler.kill()

    with ThreadPoolExecutor() as other:
        killed = other.submit(kill_when_waiting)
        with pytest.raises(InputError, match="the Dask scheduler has gone away; start it again"):
            list(map_ordered(refuse, [0]))
        killed.result()
    scheduler.wait()
    said.append(capfd.readouterr().err)  # a line and its end are written one after the other
    assert "".join(said).startswith(f"waiting for workers to join {address}\n")


@pytest.mark.parametrize("wrong", ["127.0.0.1:9", "tcp://127.0.0.1:9", "http://127.0.0.1:9", "x"])
def test_no_scheduler_at_the_address_is_one_line(wrong, monkeypatch, capfd):
    monkeypatch.setattr("voicetraits.workers.cluster._CONNECT_SECONDS", 0.5)
    monkeypatch.setenv(SCHEDULER_ADDRESS, wrong)
    with pytest.raises(InputError) as error:
        list(map_ordered(refuse, [0]))
    assert str(error.value).startswith(f"DASK_SCHEDULER_ADDRESS={wrong}: no Dask scheduler answers")
    assert "\n" not in str(error.value)
    assert capfd.readouterr() == ("", "")
