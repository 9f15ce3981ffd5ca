"""What a Common Voice corpus consists of, and the error for one that cannot be used."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path

from voicetraits.errors import InputError

VALIDATED = "validated.tsv"
DURATIONS = "clip_durations.tsv"
SPLITS = {"train.tsv": "training", "dev.tsv": "validation", "test.tsv": "test"}  # and our names
TABLES = (VALIDATED, DURATIONS, *SPLITS)
# A longer file is no read sentence, and one clip must fit into memory.
LARGEST_CLIP = 64 * 2**20  # bytes
TOO_LARGE = "too large a file for a sentence"
# The largest, validated.tsv of English 25.0, has about 1 GB. More is no table but a gzip file made
# to fill the disk.
LARGEST_TABLE = 4 * 2**30  # bytes


class CorpusError(InputError):
    """A corpus that cannot be used; the message names the file and the remedy."""


def require(tables: Collection[str], found: Collection[str], path: Path) -> None:
    """See that a corpus has the tables that are needed.

    Raises:
        CorpusError: If one is missing.
    """
    missing = [name for name in tables if name not in found]
    if VALIDATED in missing:
        raise CorpusError(f"{path}: holds no {VALIDATED}; is it a Common Voice corpus?")
    if missing:
        raise CorpusError(
            f"{path}: holds no {', '.join(missing)}, as a delta release does not; set "
            "corpus.splits to ours in params.yaml, or use the full release"
        )


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what an unreadable file raises into one line."""
    try:
        yield
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
