"""WAV shards to array shards, in any representation."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from voicetraits.audio.wav import clip_samples, fix_length, read_wav, samples_of
from voicetraits.features.representations import REPRESENTATIONS
from voicetraits.features.windows import windows
from voicetraits.params import Clip, Extract
from voicetraits.storage.files import whole_file
from voicetraits.storage.resume import map_shards, resumable_folder
from voicetraits.storage.shards import FRAMES, INDEX, read_wavs, shard_name, write_array
from voicetraits.workers.pool import workers_for

# With two workers, starting them pays from six shards on.
_SHARDS_PER_WORKER = 3


class _Job(NamedTuple):
    """One WAV shard to turn into one array shard."""

    wavs: Path
    path: Path
    representation: str
    clip: Clip
    extract: Extract

    def made_from(self) -> Iterator[str]:
        """The WAV shard, known by its size and time, and the parameters."""
        wavs = self.wavs.stat()
        yield f"{self.wavs.name} {wavs.st_size} {wavs.st_mtime_ns}"
        yield f"{self.representation} {self.clip} {self.extract}"


def extract(
    wavs: Path,
    representation: str,
    *,
    clip: Clip,
    analysis: Extract,
    out: Path,
    workers: int | None = None,
) -> int:
    """Extract one representation of every converted clip of a locale.

    A run that was interrupted goes on with the shards that are complete.

    Args:
        wavs: Folder of WAV shards with its index.
        representation: A name in REPRESENTATIONS.
        clip: The one length of representations that have one.
        analysis: Their windows.
        out: Folder for the array shards; replaced as a whole. Of a representation of one length,
            shape (clips, rows, frames), float32. Of any other, all frames of its clips one after
            the other, shape (all frames, rows), float16, and beside the shards FRAMES: shard, row,
            first frame and number of frames of every clip.
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
                clip,
                analysis,
            )
            for number in numbers
        ]
        workers = workers or workers_for(len(jobs), jobs_per_worker=_SHARDS_PER_WORKER)
        label = f"extract {out.parent.name} {out.name}"
        done = map_shards(
            _extract_shard, jobs, folder, label=label, total=len(jobs), workers=workers
        )
        lengths = list(done)
        if not REPRESENTATIONS[representation].one_length:
            _write_frames(folder / FRAMES, dict(zip(numbers, lengths, strict=True)))
        return sum(map(len, lengths))


def _write_frames(path: Path, lengths: dict[int, list[int]]) -> None:
    """Write where each clip is: rows of shard, row, start and frames."""
    rows = [
        (shard, row, end - frames, frames)
        for shard, of_shard in lengths.items()
        for row, (frames, end) in enumerate(zip(of_shard, accumulate(of_shard), strict=True))
    ]
    # Named with their type, so that a locale without clips has them, too.
    columns = pa.schema([(name, pa.int64()) for name in ("shard", "row", "start", "frames")])
    table = pa.Table.from_pylist(
        [dict(zip(columns.names, row, strict=True)) for row in rows], schema=columns
    )
    with whole_file(path) as partial:
        pq.write_table(table, partial)


def _extract_shard(job: _Job) -> list[int]:
    """Write one shard; return the number of frames of each of its clips."""
    arrays = [
        represent(*read_wav(wav), job.representation, clip=job.clip, analysis=job.extract)
        for wav in read_wavs(job.wavs)
    ]
    if REPRESENTATIONS[job.representation].one_length:
        write_array(job.path, np.stack(arrays))
    else:
        write_array(job.path, np.concatenate(arrays, axis=1).T)
    return [array.shape[1] for array in arrays]


def represent(
    pcm: np.ndarray, rate: int, representation: str, *, clip: Clip, analysis: Extract
) -> np.ndarray:
    """One representation of one clip, as it is stored.

    Args:
        pcm: Mono, shape (samples,), int16.
        rate: In Hz.
        representation: A name in REPRESENTATIONS.
        clip: The one length of representations that have one.
        analysis: Their windows.

    Returns:
        Shape (rows, frames); float32, or float16 of a representation of any length.
    """
    function, one_length = REPRESENTATIONS[representation]
    if not one_length:
        return np.asarray(function(pcm, rate).astype(np.float16))
    window, hop = windows(clip, analysis)
    whole = samples_of(fix_length(pcm, rate, samples=clip_samples(clip)))
    return np.asarray(function(whole, rate, window=window, hop=hop).astype(np.float32))
