"""WAV shards to array shards, in any representation."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow.parquet as pq

from voicetraits.audio.wav import read_wav
from voicetraits.features.representations import REPRESENTATIONS
from voicetraits.storage.resume import map_shards, resumable_folder
from voicetraits.storage.shards import INDEX, read_wavs, shard_name, write_array
from voicetraits.workers.pool import workers_for

# With two workers, starting them pays from six shards on.
_SHARDS_PER_WORKER = 3


class _Job(NamedTuple):
    """One WAV shard to turn into one array shard."""

    wavs: Path
    path: Path
    representation: str
    window: int
    hop: int

    def made_from(self) -> Iterator[str]:
        """The WAV shard, known by its size and time, and the parameters."""
        wavs = self.wavs.stat()
        yield f"{self.wavs.name} {wavs.st_size} {wavs.st_mtime_ns}"
        yield f"{self.representation} {self.window} {self.hop}"


def extract(
    wavs: Path,
    representation: str,
    *,
    window: int,
    hop: int,
    out: Path,
    workers: int | None = None,
) -> int:
    """Extract one representation of every converted clip of a locale.

    A run that was interrupted goes on with the shards that are complete.

    Args:
        wavs: Folder of WAV shards with its index.
        representation: A name in REPRESENTATIONS.
        window: Window length in samples.
        hop: Step between windows in samples.
        out: Folder for the array shards, shape (clips, 68, frames), float32; replaced as a whole.
        workers: Processes, where there is no cluster; by default one per core where that pays.
            The output is the same.

    Returns:
        The number of clips.
    """
    index = pq.read_table(wavs / INDEX, columns=["shard"])
    numbers = sorted(index["shard"].unique().to_pylist())
    with resumable_folder(out) as folder:
        jobs = [
            _Job(
                wavs.absolute() / shard_name(number, "tar"),
                folder / shard_name(number, "npy"),
                representation,
                window,
                hop,
            )
            for number in numbers
        ]
        workers = workers or workers_for(len(jobs), jobs_per_worker=_SHARDS_PER_WORKER)
        label = f"extract {out.parent.name} {out.name}"
        return sum(
            map_shards(_extract_shard, jobs, folder, label=label, total=len(jobs), workers=workers)
        )


def _extract_shard(job: _Job) -> int:
    represent = REPRESENTATIONS[job.representation]
    arrays = [
        represent(*read_wav(wav), window=job.window, hop=job.hop).astype(np.float32)
        for wav in read_wavs(job.wavs)
    ]
    write_array(job.path, np.stack(arrays))
    return len(arrays)
