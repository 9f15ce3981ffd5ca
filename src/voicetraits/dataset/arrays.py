"""Arrays of many clips, in memory or left in their shards, read by place in the same way."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
import pandas as pd

from voicetraits.storage.places import home
from voicetraits.storage.shards import read_header, shard_name

# What passes over all clips takes this many at a time: 10 MB of 68 x 68 values.
_CHUNK_CLIPS = 512


class Arrays(Protocol):
    """Clips of shape (clips, 68, frames) that are read by place: `arrays[places]`.

    A NumPy array is one; the others hold no values, and gather them when they are asked.
    """

    @property
    def shape(self) -> tuple[int, ...]:
        """(clips, 68, frames), and whatever else each clip has."""

    def __len__(self) -> int:
        """Number of clips."""

    def __getitem__(self, places: np.ndarray | slice, /) -> np.ndarray:
        """The clips at these places, in this order."""


class Chosen:
    """Some clips of other arrays, in an order of their own."""

    def __init__(self, arrays: Arrays, places: np.ndarray) -> None:
        self._arrays, self._places = arrays, places
        self.shape = (len(places), *arrays.shape[1:])

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._places)

    def __getitem__(self, places: np.ndarray | slice) -> np.ndarray:
        """The clips at these places of the choice."""
        return self._arrays[self._places[places]]


def homes(index: pd.DataFrame) -> list[str]:
    """The `home` of every clip of an index."""
    if "corpus" not in index:
        return index["locale"].tolist()
    return [home(*each) for each in index[["locale", "corpus"]].itertuples(index=False)]


class StoredClips:
    """The clips of an index, read from their array shards whenever they are asked for.

    By reading files and not by mapping them into memory: a map would count as memory of this
    process, page by page, until it holds them all.

    Args:
        index: One row per clip with columns locale, shard and row; also `corpus`, if there are
            others beside the one that is tested on.
        folders: Folder of array shards by its `home`.
    """

    def __init__(self, index: pd.DataFrame, folders: dict[str, Path]) -> None:
        if index.empty:
            raise ValueError("no clips to read")
        keys = pd.MultiIndex.from_arrays([homes(index), index["shard"]])
        self._file, shards = keys.factorize()
        self._files = [folders[where] / shard_name(shard, "npy") for where, shard in shards]
        self._row = index["row"].to_numpy()
        with self._files[0].open("rb") as file:
            self.shape = (len(index), *_clip_shape(file))

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._row)

    def __getitem__(self, places: np.ndarray | slice) -> np.ndarray:
        """The clips at these places of the index, float32.

        Raises:
            ValueError: If a shard is shorter than the index says, or holds other arrays.
        """
        files, rows = self._file[places], self._row[places]
        found = np.empty((len(rows), *self.shape[1:]), dtype=np.float32)
        # Shard after shard, and forwards in each.
        order = np.lexsort((rows, files))
        for group in np.split(order, np.flatnonzero(np.diff(files[order])) + 1):
            if len(group):
                self._read(self._files[files[group[0]]], rows, found, group)
        return found

    def where(self, place: int) -> str:
        """File and row of a clip."""
        path = self._files[self._file[place]]
        return f"row {self._row[place]} of {'/'.join(path.parts[-3:])}"

    def _read(self, path: Path, rows: np.ndarray, into: np.ndarray, places: np.ndarray) -> None:
        """Read these rows of one shard to the same places of another array."""
        with path.open("rb") as file:
            if _clip_shape(file) != self.shape[1:]:
                raise ValueError(f"{path}: clips are not {self.shape[1:]} as in {self._files[0]}")
            start, size = file.tell(), into[0].nbytes
            for place in places:
                file.seek(start + int(rows[place]) * size)
                if file.readinto(into[place].data) < size:
                    raise ValueError(f"{path}: no clip in row {rows[place]}")


def _clip_shape(file: BinaryIO) -> tuple[int, ...]:
    """Read the header of a shard, and return the shape of its clips: (68, frames)."""
    return read_header(file, dtype=np.float32, of="clip")[1:]


def read_clips_arrays(
    index: pd.DataFrame, folders: dict[str, Path], *, budget_gb: float = math.inf
) -> Arrays:
    """Gather clips from array shards, or leave them there if they are too large for memory.

    Args:
        index: See `StoredClips`.
        folders: Folder of array shards by its `home`.
        budget_gb: The most that is held in memory, in GB of 10^9 bytes.

    Returns:
        Shape (clips, 68, frames), float32, in the order of the index.
    """
    stored = StoredClips(index, folders)
    size = math.prod(stored.shape) * np.dtype(np.float32).itemsize
    return stored[:] if size <= budget_gb * 1e9 else stored


def not_finite(arrays: Arrays) -> np.ndarray:
    """Places of the clips that hold a number that is infinite or none at all, ascending."""
    found = [np.empty(0, dtype=int)]
    for places, some in chunks(arrays):
        finite = np.isfinite(some).all(axis=tuple(range(1, some.ndim)))
        found.append(places.start + np.flatnonzero(~finite))
    return np.concatenate(found)


def chunks(arrays: Arrays) -> Iterator[tuple[slice, np.ndarray]]:
    """All clips, some at a time: their places, and the clips."""
    for start in range(0, len(arrays), _CHUNK_CLIPS):
        places = slice(start, min(start + _CHUNK_CLIPS, len(arrays)))
        yield places, arrays[places]
