"""Progress of long work: a bar on a terminal, a plain line now and then when piped.

Or neither, but records in a file, where several jobs run beside each other: who has started them
reads those, and shows all in one line.
"""

from __future__ import annotations

import io
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
# Names the file for the records.
RECORDS = "VOICETRAITS_PROGRESS"
_SECONDS_BETWEEN_LINES = 10.0
_SECONDS_BETWEEN_RECORDS = 0.5
_READ_AT_ONCE = 2**20  # bytes; so large that counting the reads takes no time


def progress(items: Iterable[T], *, label: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show how far the work is, on standard error.

    Args:
        items: What is worked through.
        label: What the work is, e.g. "convert es".
        unit: What an item is, e.g. "shards".
        total: Number of items, where known.
    """
    if sys.stderr.isatty() and not records_wanted():
        yield from tqdm(items, desc=label, unit=f" {unit}", total=total, leave=False)
        return
    of_total = "" if total is None else f" of {total}"
    with _lines(label) as lines:
        for done, item in enumerate(items, start=1):
            yield item
            lines.show(f"{done}{of_total} {unit}")


@contextmanager
def open_with_progress(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading from front to back, and show on standard error how far that is.

    Args:
        path: Of the file; its name is the label.
    """
    with path.open("rb", buffering=0) as file:
        total = path.stat().st_size
        if sys.stderr.isatty() and not records_wanted():
            with tqdm(desc=path.name, unit="B", unit_scale=True, total=total, leave=False) as bar:
                yield io.BufferedReader(_Counted(file, bar.update), _READ_AT_ONCE)
            return
        size, unit = (1e9, "GB") if total >= 1e9 else (1e6, "MB")
        with _lines(path.name) as lines:

            def show(_: int) -> None:
                lines.show(f"{file.tell() / size:.1f} of {total / size:.1f} {unit}")

            yield io.BufferedReader(_Counted(file, show), _READ_AT_ONCE)


def records_wanted() -> bool:
    """Whether who started this process shows the progress, from records."""
    return bool(os.environ.get(RECORDS))


def record(label: str, state: str) -> None:
    """Write down how far a job is; "" where it is at its end."""
    # That nobody shows it any more is no reason to end the work.
    with suppress(OSError), Path(os.environ[RECORDS]).open("a", encoding="utf-8") as file:
        file.write(json.dumps([label, state]) + "\n")


class Records:
    """How far the jobs are that write to one file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._read = 0  # bytes
        self._states: dict[str, str] = {}

    def jobs(self) -> list[str]:
        """A text for each job that has not come to its end."""
        with suppress(FileNotFoundError), self._path.open("rb") as file:
            file.seek(self._read)
            new = file.read()
            whole = new[: new.rfind(b"\n") + 1]
            self._read += len(whole)
            self._states.update(json.loads(line) for line in whole.splitlines())
        return [f"{label} {state}" for label, state in self._states.items() if state]


@contextmanager
def _lines(label: str) -> Iterator[_Lines]:
    lines = _Lines(label)
    try:
        yield lines
    finally:
        if records_wanted():
            record(label, "")


class _Lines:
    """Plain lines on standard error, one in ten seconds at most, or records."""

    def __init__(self, label: str) -> None:
        self._label = label
        self._between = _SECONDS_BETWEEN_RECORDS if records_wanted() else _SECONDS_BETWEEN_LINES
        self._due = time.monotonic() + self._between

    def show(self, state: str) -> None:
        if time.monotonic() < self._due:
            return
        if records_wanted():
            record(self._label, state)
        else:
            print(f"{self._label}: {state}", file=sys.stderr, flush=True)
        self._due = time.monotonic() + self._between


class _Counted(io.RawIOBase):
    """A file that tells how many bytes each read took."""

    def __init__(self, file: io.FileIO, count: Callable[[int], object]) -> None:
        self._file = file
        self._count = count

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        size = self._file.readinto(buffer)
        self._count(size or 0)
        return size
