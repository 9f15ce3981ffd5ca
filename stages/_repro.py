"""Run the whole pipeline on several cores: what `dvc repro` does one stage after the other.

    python -m stages._repro

The locales run beside each other up to their arrays, then the models, then what reads these. The
last call does what is left. Single items, because DVC locks what it only checks, too.
"""

from __future__ import annotations

import fcntl
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stages._beside import StepError, run_beside, say
from voicetraits.output import printable_output, quiet_without_reader
from voicetraits.params import Params, load_params
from voicetraits.workers.pool import WORKERS, machine_cores

_DVC = Path(__file__).with_name("_dvc.py")
_ITEMS = ("--single-item", "--glob")
_LOCK = Path(".dvc/tmp/repro.lock")


def main() -> None:
    """Bring everything up to date; end at the first step that fails."""
    with one_run():
        repro()


@contextmanager
def one_run() -> Iterator[None]:
    """Let the block be the only run in this clone, and end the process as it ends."""
    printable_output()
    try:
        with quiet_without_reader(), _alone():
            yield
    except StepError as error:
        sys.exit(str(error) or 1)
    except KeyboardInterrupt as interrupt:
        say("interrupted; the same command goes on from here")
        sys.exit(128 + (interrupt.args or (signal.SIGINT,))[0])


def repro() -> None:
    """Run the whole pipeline.

    Raises:
        StepError: If a step has failed.
    """
    cores = machine_cores()
    run_beside([dvc_repro("check")], label="check", at_once=1)
    params = load_params()
    locales = params.locales
    workers = os.environ.get(WORKERS) or str((cores - 1) // len(locales) + 1)
    run_beside(
        by_locale(params, cores), label="prepare", at_once=cores, environment={WORKERS: workers}
    )
    run_beside(networks(params), label="train", at_once=cores)
    run_beside(after_training(), label="evaluate", at_once=cores)
    run_beside([dvc_repro()], label="summarise", at_once=1)


def by_locale(params: Params, cores: int) -> list[list[str]]:
    """The commands that lead to the arrays.

    DVC takes a second to start, and a third for every target: with fewer cores than locales, one
    call gets several of them, and a target stands for many stages, which DVC takes in the order of
    dvc.yaml.
    """
    stages = ["*@{}", "*@{}-*"]
    if params.beside:
        stages += ["*_beside@*-{}", "*_beside@*-{}-*"]
    locales = params.locales
    several = (len(locales) - 1) // cores + 1
    groups = [locales[start : start + several] for start in range(0, len(locales), several)]
    return [
        dvc_repro(*_ITEMS, *(stage.format(locale) for locale in group for stage in stages))
        for group in groups
    ]


def networks(params: Params) -> list[list[str]]:
    """The commands that lead from the arrays to the predictions, and to the pictures.

    Splits are among them, because they read the corpora beside the tested one, of all locales. The
    models of one split share a compiled network, and go one after the other; those of all locales
    take longest, and go first.
    """
    on_frames = bool(params.frames.representations and params.frames.networks)
    joined = [
        (f"split_joined@{task}", f"train_frames_joined@{task}-*")
        for task in params.frames.joined
        if on_frames
    ]
    pooled = [
        (f"split_pooled@{task}", *(f"{name}_pooled@{task}-*" for name in _trains(on_frames)))
        for task in params.models.pooled
    ]
    per_locale = [
        (f"split@{task}-{locale}", *(f"{name}@{task}-{locale}-*" for name in trains))
        for task in params.models.per_locale
        for trains in [_trains(on_frames and task in params.frames.per_locale)]
        for locale in params.locales
    ]
    return [dvc_repro(*_ITEMS, *some) for some in (*joined, *pooled, *per_locale, ("explore",))]


def after_training() -> list[list[str]]:
    """The commands that read the models, the longest first; what is left reads what these write."""
    return [dvc_repro(*_ITEMS, "evaluate"), dvc_repro(*_ITEMS, "summarise", "export")]


def _trains(on_frames: bool) -> list[str]:
    return ["train", "train_frames"] if on_frames else ["train"]


def dvc_repro(*arguments: str) -> list[str]:
    """The command `dvc repro`, which says nothing but why it fails."""
    return [sys.executable, "-P", str(_DVC), *arguments]


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another run in this clone: DVC refuses what is under way elsewhere."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another `make repro` is under way here; waiting for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


if __name__ == "__main__":
    main()
