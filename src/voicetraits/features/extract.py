"""WAV shards to array shards, in either representation."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from voicetraits.audio import read_wav
from voicetraits.features.short_term import short_term_features
from voicetraits.features.spectrogram import log_mel
from voicetraits.parallel import map_ordered, workers_for
from voicetraits.params import Representation
from voicetraits.progress import progress
from voicetraits.shards import INDEX, fresh_folder, read_wavs, shard_name, write_array

# A new process starts as slowly as this process extracts this many shards.
_SHARDS_PER_WORKER = 8

_FUNCTIONS = {"features": short_term_features, "spectrogram": log_mel}


class _Job(NamedTuple):
    """One WAV shard to turn into one array shard."""

    wavs: Path
    arrays: Path
    representation: Representation
    window: int
    hop: int


def extract(
    wavs: Path,
    representation: Representation,
    *,
    window: int,
    hop: int,
    out: Path,
    workers: int | None = None,
) -> int:
    """Extract one representation of every converted clip of a locale.

    Args:
        wavs: Folder of WAV shards with its index.
        representation: "features" or "spectrogram".
        window: Window length in samples.
        hop: Step between windows in samples.
        out: Folder for the array shards, shape (clips, 68, frames), float32; replaced as a whole.
        workers: Processes; by default one per core where that pays. The output is the same.

    Returns:
        The number of clips.
    """
    index = pd.read_parquet(wavs / INDEX, columns=["shard"])
    numbers = sorted(index["shard"].unique())
    with fresh_folder(out) as folder:
        jobs = [
            _Job(
                wavs / shard_name(number, "tar"),
                folder / shard_name(number, "npy"),
                representation,
                window,
                hop,
            )
            for number in numbers
        ]
        workers = workers or workers_for(len(jobs), jobs_per_worker=_SHARDS_PER_WORKER)
        results = map_ordered(_extract_shard, jobs, workers=workers)
        label = f"extract {out.parent.name} {out.name}"
        return sum(progress(results, label=label, unit="shards", total=len(jobs)))


def _extract_shard(job: _Job) -> int:
    arrays = [
        represent(*read_wav(wav), representation=job.representation, window=job.window, hop=job.hop)
        for wav in read_wavs(job.wavs)
    ]
    write_array(job.arrays, np.stack(arrays))
    return len(arrays)


def represent(
    signal: np.ndarray,
    sample_rate: int,
    *,
    representation: Representation,
    window: int,
    hop: int,
) -> np.ndarray:
    """One clip in one representation.

    Args:
        signal: Mono PCM, shape (samples,), int16.
        sample_rate: In Hz.
        representation: "features" or "spectrogram".
        window: Window length in samples.
        hop: Step between windows in samples.

    Returns:
        Shape (68, frames), float32.
    """
    function = _FUNCTIONS[representation]
    return function(signal, sample_rate, window=window, hop=hop).astype(np.float32)
