"""Progress of long work: a bar on a terminal, a plain line now and then when piped."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

from tqdm import tqdm

T = TypeVar("T")
_SECONDS_BETWEEN_LINES = 10.0


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
    due = time.monotonic() + _SECONDS_BETWEEN_LINES
    of_total = "" if total is None else f" of {total}"
    for done, item in enumerate(items, start=1):
        yield item
        if time.monotonic() >= due:
            print(f"{label}: {done}{of_total} {unit}", file=sys.stderr, flush=True)
            due = time.monotonic() + _SECONDS_BETWEEN_LINES
