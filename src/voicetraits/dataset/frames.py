"""Clips of any length, read by place: their frames, or parts of them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.dataset.arrays import homes
from voicetraits.storage.shards import FRAMES, read_header, shard_name


class StoredFrames:
    """The clips of an index in their array shards, in memory or on disk.

    Args:
        index: One row per clip with columns locale, shard and row; also `corpus`, if there are
            others beside the one that is tested on.
        folders: Folder of array shards and FRAMES by its `home`.
        budget_gb: The most that is held in memory, in GB of 10^9 bytes; more stays on disk, and
            is read whenever it is asked for.
    """

    def __init__(self, index: pd.DataFrame, folders: dict[str, Path], *, budget_gb: float) -> None:
        if index.empty:
            raise ValueError("no clips to read")
        places = pd.concat(
            pd.read_parquet(folder / FRAMES).assign(home=where) for where, folder in folders.items()
        )
        keys = ["home", "shard", "row"]
        found = index.assign(home=homes(index))[keys].merge(places, on=keys, how="left")
        if found["frames"].isna().any():
            lacking = found[found["frames"].isna()].iloc[0]
            path = folders[lacking["home"]] / FRAMES
            raise ValueError(f"{path}: no row {lacking['row']} of shard {lacking['shard']}")
        self._start, self._frames = (found[name].to_numpy(int) for name in ("start", "frames"))
        self._file, shards = pd.MultiIndex.from_frame(found[["home", "shard"]]).factorize()
        self._paths = [folders[where] / shard_name(shard, "npy") for where, shard in shards]
        # Once: what is on disk is read crop by crop.
        self._first = []
        for path in self._paths:
            with path.open("rb") as file:
                _, self.bands = read_header(file, dtype=np.float16, of="frame")
                self._first.append(file.tell())
        size = sum(path.stat().st_size for path in self._paths)
        small = size <= budget_gb * 1e9
        self._held = [_load(path) for path in self._paths] if small else None

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._frames)

    def length(self, clip: int) -> int:
        """Frames of a clip, at least 1."""
        return int(self._frames[clip])

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        """Frames from `start` on, shape (length, bands), float32; a short clip is repeated."""
        frames = self.length(clip)
        if start + length <= frames:
            return self._read(clip, start, length)
        return self._read(clip, 0, frames)[(start + np.arange(length)) % frames]

    def _read(self, clip: int, start: int, length: int) -> np.ndarray:
        number, first = self._file[clip], int(self._start[clip]) + start
        if self._held is not None:
            found = self._held[number][first : first + length]
        else:
            size = self.bands * np.dtype(np.float16).itemsize
            with self._paths[number].open("rb") as file:
                file.seek(self._first[number] + first * size)
                content = file.read(length * size)
            whole = len(content) // size
            found = np.frombuffer(content[: whole * size], np.float16).reshape(whole, self.bands)
        if len(found) < length:
            raise ValueError(f"{self._paths[number]}: no frame {first + length - 1}")
        return found.astype(np.float32)


def _load(path: Path) -> np.ndarray:
    """A whole shard, shape (frames, bands).

    Raises:
        ValueError: If its end is lacking.
    """
    try:
        return np.load(path)
    except (ValueError, EOFError) as error:
        raise ValueError(
            f"{path}: no frame of its end ({error}); delete {path.parent} and run `make repro`"
        ) from error
