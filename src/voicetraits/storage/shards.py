"""Shards: the files that hold many clips, and the index that finds a clip in them.

A shard is the unit of work of `convert` and `extract`. WAV shards are uncompressed tar files,
array shards are `.npy` files. Row i of one is member i of the other.
"""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO

import numpy as np

from voicetraits.storage.files import whole_file

if TYPE_CHECKING:
    import pandas as pd  # half a second, which `extract` has no use for

# Small enough that the sample corpus keeps several cores busy, large enough that millions of
# clips make thousands of files.
SHARD_CLIPS = 256

INDEX = "index.parquet"
FRAMES = "frames.parquet"  # where the clips of any length are in their array shards
EXCLUDED = "excluded.parquet"  # clips that could not be converted, with the reason


def shard_name(number: int, ending: str) -> str:
    """File name of a shard.

    >>> shard_name(12, "tar")
    '00012.tar'
    """
    return f"{number:05d}.{ending}"


def write_wavs(path: Path, wavs: list[tuple[str, bytes]]) -> None:
    """Write (clip name, WAV bytes) pairs as an uncompressed tar, without times or owners."""
    with (
        whole_file(path, by_several=True) as partial,
        tarfile.open(partial, "w", format=tarfile.GNU_FORMAT) as tar,
    ):
        for clip, wav in wavs:
            member = tarfile.TarInfo(f"{clip}.wav")
            member.size = len(wav)
            tar.addfile(member, io.BytesIO(wav))


def read_wavs(path: Path) -> Iterator[bytes]:
    """The WAV files of one shard, in row order."""
    with tarfile.open(path, "r:") as tar:
        for member in tar:
            file = tar.extractfile(member)
            assert file is not None, f"{path}: {member.name} is not a file"
            yield file.read()


def write_array(path: Path, array: np.ndarray) -> None:
    """Write an array as .npy."""
    # By way of memory: to a file, NumPy writes in a way that does not tell a full disk.
    content = io.BytesIO()
    np.save(content, array)
    with whole_file(path, by_several=True) as partial:
        partial.write_bytes(content.getbuffer())


def read_header(file: BinaryIO, *, dtype: type[np.generic], of: str) -> tuple[int, ...]:
    """Read the header of an array shard, up to its first value; the shape of the array.

    Args:
        file: At its start.
        dtype: What the values have to be.
        of: What lies one after the other, "clip" or "frame", for the error.

    Raises:
        ValueError: If it is no array, or of another kind or order.
    """
    try:
        np.lib.format.read_magic(file)
        shape, by_column, found = np.lib.format.read_array_header_1_0(file)
    except ValueError as error:
        raise ValueError(f"{file.name}: not an array shard: {error}") from error
    if by_column or found != dtype:
        raise ValueError(f"{file.name}: not {np.dtype(dtype)}, {of} after {of}")
    return tuple(shape)


def write_table(path: Path, table: pd.DataFrame) -> None:
    """Write a table as Parquet, without its row labels."""
    with whole_file(path) as partial:
        table.to_parquet(partial, index=False)
