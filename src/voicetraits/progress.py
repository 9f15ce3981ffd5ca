"""Progress of long work: a bar on a terminal, a plain line now and then when piped."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from tqdm import tqdm

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 10.0
_READ_AT_ONCE = 2**20  # bytes; so large that counting the reads takes no time


def progress(items: Iterable[T], *, label: str, unit: str, total: int | None = None) -> Iterator[T]:
    """Yield the items and show how far the work is, on standard error.

    Args:
        items: What is worked through.
        label: What the work is, e.g. "convert es".
        unit: What an item is, e.g. "shards".
        total: Number of items, where known.
    """
    if sys.stderr.isatty():
        yield from tqdm(items, desc=label, unit=f" {unit}", total=total, leave=False)
        return
    lines = _Lines()
    of_total = "" if total is None else f" of {total}"
    for done, item in enumerate(items, start=1):
        yield item
        lines.show(f"{label}: {done}{of_total} {unit}")


@contextmanager
def open_with_progress(path: Path) -> Iterator[io.BufferedReader]:
    """Open a file for reading from front to back, and show on standard error how far that is.

    Args:
        path: Of the file; its name is the label.
    """
    with path.open("rb", buffering=0) as file:
        total = path.stat().st_size
        if sys.stderr.isatty():
            with tqdm(desc=path.name, unit="B", unit_scale=True, total=total, leave=False) as bar:
                yield io.BufferedReader(_Counted(file, bar.update), _READ_AT_ONCE)
            return
        lines = _Lines()
        size, unit = (1e9, "GB") if total >= 1e9 else (1e6, "MB")

        def show(_: int) -> None:
            lines.show(f"{path.name}: {file.tell() / size:.1f} of {total / size:.1f} {unit}")

        yield io.BufferedReader(_Counted(file, show), _READ_AT_ONCE)


class _Lines:
    """Plain lines on standard error, one in ten seconds at most."""

    def __init__(self) -> None:
        self._due = time.monotonic() + _SECONDS_BETWEEN_LINES

    def show(self, line: str) -> None:
        if time.monotonic() >= self._due:
            print(line, file=sys.stderr, flush=True)
            self._due = time.monotonic() + _SECONDS_BETWEEN_LINES


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
