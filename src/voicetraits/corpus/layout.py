"""What a Common Voice corpus consists of, and the error for one that cannot be used."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voicetraits.errors import InputError

VALIDATED = "validated.tsv"
DURATIONS = "clip_durations.tsv"
TABLES = (VALIDATED, DURATIONS)
# A longer file is no read sentence, and one clip must fit into memory.
LARGEST_CLIP = 64 * 2**20  # bytes


class CorpusError(InputError):
    """A corpus that cannot be used; the message names the file and the remedy."""


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what an unreadable file raises into one line."""
    try:
        yield
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
