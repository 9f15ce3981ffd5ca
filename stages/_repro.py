"""Run the whole pipeline on several cores: what `dvc repro` does one stage after the other.

    python -m stages._repro

The locales run beside each other up to their arrays, then the models. The last call does what is
left. Single items, because DVC locks what it only checks, too.
"""

from __future__ import annotations

import fcntl
import os
import signal
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

from voicetraits.params import Params, load_params
from voicetraits.workers.pool import WORKERS, machine_cores

# DVC's --quiet hides why it failed, too; this keeps the errors of its command line.
_DVC = """
import logging, sys
from dvc.cli import main
logging.getLogger("dvc.cli").setLevel(logging.ERROR)
sys.argv[0] = "dvc repro"
sys.exit(main(["--wait-for-lock", "repro", "--quiet", *sys.argv[1:]]))
"""
_ITEMS = ("--single-item", "--glob")
_LOCK = Path(".dvc/tmp/repro.lock")
_REASON_LINES = 12
_SECONDS_TO_END = 3.0


class StepError(Exception):
    """A step that has failed; the message repeats its reason where others came after it."""


def main() -> None:
    """Bring everything up to date; end at the first step that fails."""
    try:
        with _alone():
            _repro()
    except StepError as error:
        sys.exit(str(error) or 1)
    except KeyboardInterrupt as interrupt:
        _say("interrupted; the same command goes on from here")
        sys.exit(128 + (interrupt.args or (signal.SIGINT,))[0])


def _repro() -> None:
    cores = machine_cores()
    run_beside([dvc_repro("check")], at_once=1)
    params = load_params()
    locales = params.locales
    print(f"Locales, {cores} at a time: sample, select, convert, extract, split", flush=True)
    workers = os.environ.get(WORKERS) or str((cores - 1) // len(locales) + 1)
    run_beside(by_locale(locales, cores), at_once=cores, environment={WORKERS: workers})
    print(f"Networks, {cores} at a time, and the pictures of the corpus", flush=True)
    run_beside(networks(params), at_once=cores)
    run_beside([dvc_repro()], at_once=1)


def by_locale(locales: Sequence[str], cores: int) -> list[list[str]]:
    """The commands that lead to the arrays.

    DVC takes seconds to start: with fewer cores than locales, one call gets several of them.
    """
    stages = ("sample@{}", "select@{}", "convert@{}", "extract@{}-*", "split@*-{}")
    several = (len(locales) - 1) // cores + 1
    groups = [locales[start : start + several] for start in range(0, len(locales), several)]
    return [
        dvc_repro(*_ITEMS, *(stage.format(locale) for locale in group for stage in stages))
        for group in groups
    ]


def networks(params: Params) -> list[list[str]]:
    """The commands that lead from the arrays to the predictions, and to the pictures.

    The models of one split share a compiled network, and go one after the other; those of all
    locales take longest, and go first.
    """
    pooled = [
        dvc_repro(*_ITEMS, f"split_pooled@{task}", f"train_pooled@{task}-*")
        for task in params.models.pooled
    ]
    per_locale = [
        dvc_repro(*_ITEMS, f"train@{task}-{locale}-*")
        for task in params.models.per_locale
        for locale in params.locales
    ]
    return [*pooled, *per_locale, dvc_repro(*_ITEMS, "explore")]


def dvc_repro(*arguments: str) -> list[str]:
    """The command `dvc repro`, which says nothing but why it fails."""
    return [sys.executable, "-P", "-c", _DVC, *arguments]


class _Step:
    """A command under way, in a group of processes of its own."""

    def __init__(self, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            env={**os.environ, **environment},
            process_group=0,
            stdin=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
        )
        assert self._process.stderr is not None
        self._errors = self._process.stderr
        os.set_blocking(self._errors.fileno(), False)
        self._said = b""

    def ended(self) -> bool:
        """Pass on what it has written to standard error, and tell whether that was all."""
        ended = self._process.poll() is not None
        while data := self._errors.read(2**16):
            sys.stderr.buffer.write(data)
            sys.stderr.buffer.flush()
            self._said = (self._said + data)[-(2**14) :]
        return ended

    def failed(self) -> bool:
        """Tell whether it has ended badly."""
        return bool(self._process.returncode)

    def last_words(self) -> str:
        """The end of what it wrote to standard error."""
        lines = self._said.decode(errors="replace").strip().splitlines()
        return "\n".join(lines[-_REASON_LINES:])

    def signal(self, number: int) -> bool:
        """Send a signal to all its processes; tell whether there are any."""
        self._process.poll()
        try:
            os.killpg(self._process.pid, number)
        except (ProcessLookupError, PermissionError):  # the latter of the dead, on macOS
            return False
        return True


def run_beside(
    commands: Sequence[Sequence[str]], *, at_once: int, environment: Mapping[str, str] | None = None
) -> None:
    """Run commands, so many at a time. When this ends, by whatever, so has all they started.

    After one has failed, none is begun any more; those under way are waited for, because they may
    have trained for hours. To be called in the main thread, which is the one to get signals.

    Raises:
        StepError: If one has failed.
        KeyboardInterrupt: At SIGINT, SIGTERM or SIGHUP, with its number.
    """
    waiting = deque(commands)
    steps: list[_Step] = []
    reason: str | None = None
    with _interrupts() as interrupts:
        try:
            while (steps or waiting) and not interrupts:
                while waiting and len(steps) < at_once:
                    steps.append(_Step(waiting.popleft(), environment or {}))
                for step in [step for step in steps if step.ended()]:
                    steps.remove(step)
                    if not step.failed():
                        continue
                    waiting.clear()
                    _end([step])  # what it has left behind
                    if reason is None:
                        reason = step.last_words() if steps else ""
                        if steps:
                            _say("A step has failed; waiting for those beside it.")
                time.sleep(0.05)
        finally:
            _end(steps)
    if interrupts:
        raise KeyboardInterrupt(interrupts[0])
    if reason is not None:
        raise StepError(reason)


def _end(steps: Sequence[_Step]) -> None:
    """End all processes of these steps: as Ctrl-C does it, then by force."""
    for step in steps:
        step.signal(signal.SIGINT)
    deadline = time.monotonic() + _SECONDS_TO_END
    while any(step.signal(0) for step in steps) and time.monotonic() < deadline:
        time.sleep(0.05)
    for step in steps:
        step.signal(signal.SIGKILL)


@contextmanager
def _interrupts() -> Iterator[list[int]]:
    """Collect the signals that ask to end, so that none comes between a start and its end.

    One that is ignored, as `nohup` has it, stays so.
    """
    came: list[int] = []

    def note(number: int, _: FrameType | None) -> None:
        came.append(number)

    before = {
        number: handler
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        if (handler := signal.getsignal(number)) != signal.SIG_IGN
    }
    for number in before:
        signal.signal(number, note)
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _alone() -> Iterator[None]:
    """Wait for another run in this clone: DVC refuses what is under way elsewhere."""
    _LOCK.parent.mkdir(parents=True, exist_ok=True)
    with _LOCK.open("ab") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            _say("another `make repro` is under way here; waiting for its end")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


if __name__ == "__main__":
    main()
