"""WAV shards to array shards, in either representation."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from voicetraits.audio import read_wav
from voicetraits.features.short_term import reference_features, short_term_features
from voicetraits.features.spectrogram import log_mel
from voicetraits.files import fresh_folder
from voicetraits.parallel import map_ordered, workers_for
from voicetraits.params import Engine, Representation
from voicetraits.progress import progress
from voicetraits.shards import INDEX, read_wavs, shard_name, write_array

_ENGINES = {"fast": short_term_features, "pyaudioanalysis": reference_features}
# A new process starts as slowly as this process extracts this many shards.
_SHARDS_PER_WORKER = {"fast": 8, "pyaudioanalysis": 1}


class _Job(NamedTuple):
    """One WAV shard to turn into one array shard."""

    wavs: Path
    arrays: Path
    representation: Representation
    engine: Engine
    window: int
    hop: int


def extract(
    wavs: Path,
    representation: Representation,
    *,
    window: int,
    hop: int,
    out: Path,
    engine: Engine = "fast",
    workers: int | None = None,
) -> int:
    """Extract one representation of every converted clip of a locale.

    Args:
        wavs: Folder of WAV shards with its index.
        representation: "features" or "spectrogram".
        window: Window length in samples.
        hop: Step between windows in samples.
        out: Folder for the array shards, shape (clips, 68, frames), float32; replaced as a whole.
        engine: Of the features: "fast", or "pyaudioanalysis" for the reference.
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
                engine,
                window,
                hop,
            )
            for number in numbers
        ]
        workers = workers or workers_for(len(jobs), jobs_per_worker=_SHARDS_PER_WORKER[engine])
        results = map_ordered(_extract_shard, jobs, workers=workers)
        label = f"extract {out.parent.name} {out.name}"
        return sum(progress(results, label=label, unit="shards", total=len(jobs)))


def _extract_shard(job: _Job) -> int:
    represent = log_mel if job.representation == "spectrogram" else _ENGINES[job.engine]
    arrays = [
        represent(*read_wav(wav), window=job.window, hop=job.hop).astype(np.float32)
        for wav in read_wavs(job.wavs)
    ]
    write_array(job.arrays, np.stack(arrays))
    return len(arrays)
