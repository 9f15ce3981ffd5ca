"""Run commands beside each other, and show how far they are."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import IO, TextIO

from stages._line import Line
from voicetraits.progress import RECORDS, Records

_REASON_LINES = 12
_SECONDS_TO_END = 3.0


class StepError(Exception):
    """A step that has failed; the message repeats its reason where others came after it."""


class _Step:
    """A command under way, in a group of processes of its own."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], *, records: Path
    ) -> None:
        self._process = subprocess.Popen(
            command,
            bufsize=0,
            env={**os.environ, **environment, RECORDS: str(records)},
            process_group=0,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        self._output = _Lines(self._process.stdout)
        self._errors = _Lines(self._process.stderr)
        self._records = Records(records)
        self._said = b""

    def ended(self, line: Line) -> bool:
        """Pass on what it has written, and tell whether that was all."""
        ended = self._process.poll() is not None
        streams: list[tuple[_Lines, TextIO]]
        streams = [(self._output, sys.stdout), (self._errors, sys.stderr)]
        for source, target in streams:
            if data := source.read(to_the_end=ended):
                line.pass_on(data, target)
                if source is self._errors:
                    self._said = (self._said + data)[-(2**14) :]
        return ended

    def progress(self) -> list[str]:
        """How far its jobs are, one text for each."""
        return self._records.jobs()

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


class _Lines:
    """What comes through a pipe, line by line, so that nothing gets into the middle of one."""

    def __init__(self, pipe: IO[bytes]) -> None:
        self._pipe = pipe
        os.set_blocking(pipe.fileno(), False)
        self._begun = b""

    def read(self, *, to_the_end: bool) -> bytes:
        """The whole lines that have come, and at the end the last one as it is."""
        while data := self._pipe.read(2**16):
            self._begun += data
        whole = len(self._begun) if to_the_end else self._begun.rfind(b"\n") + 1
        lines, self._begun = self._begun[:whole], self._begun[whole:]
        return lines


def run_beside(
    commands: Sequence[Sequence[str]],
    *,
    label: str,
    at_once: int,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run commands, so many at a time. When this ends, by whatever, so has all they started.

    After one has failed, none is begun any more; those under way are waited for, because they may
    have trained for hours. To be called in the main thread, which is the one to get signals.

    Args:
        commands: Each with its arguments.
        label: What they are for, as the progress shows it.
        at_once: Commands at a time.
        environment: Variables set for them.

    Raises:
        StepError: If one has failed.
        KeyboardInterrupt: At SIGINT, SIGTERM or SIGHUP, with its number.
    """
    waiting = deque(commands)
    steps: list[_Step] = []
    done = 0
    reason: str | None = None
    line = Line()

    def title() -> str:
        return label if len(commands) == 1 else f"{label} {done} of {len(commands)}"

    with tempfile.TemporaryDirectory(prefix="vt-") as records, _interrupts() as interrupts:
        try:
            while (steps or waiting) and not interrupts:
                while waiting and len(steps) < at_once:
                    file = Path(records, str(len(waiting)))
                    steps.append(_Step(waiting.popleft(), environment or {}, records=file))
                for step in [step for step in steps if step.ended(line)]:
                    steps.remove(step)
                    if not step.failed():
                        done += 1
                        line.done(f"{title()} done")
                        continue
                    waiting.clear()
                    _end([step])  # what it has left behind
                    if reason is None:
                        reason = step.last_words() if steps else ""
                        if steps:
                            line.clear()
                            say("A step has failed; waiting for those beside it.")
                line.show(
                    " · ".join([title(), *(job for step in steps for job in step.progress())])
                )
                time.sleep(0.05)
        finally:
            _end(steps)
            line.clear()
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


def say(text: str) -> None:
    """Print a line to standard error."""
    print(text, file=sys.stderr, flush=True)
