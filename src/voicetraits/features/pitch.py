"""The pitch of every clip, for the baseline that knows nothing else, and how each clip ends."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from voicetraits.audio.wav import clip_samples, fix_length, read_wav, samples_of
from voicetraits.params import Clip
from voicetraits.storage.files import whole_file
from voicetraits.storage.resume import map_shards, resumable_file
from voicetraits.storage.shards import INDEX, read_wavs, shard_name
from voicetraits.workers.pool import workers_for

FLOOR, CEILING = 60.0, 400.0  # Hz, where voices of adults are
_STEP = 0.05  # seconds; a quarter of Praat's own frames, for the same median within half a semitone
_PERIODS = 3  # of the lowest pitch, that Praat compares: a shorter clip has none
_BLOCK = 0.01  # seconds
_SILENCE_DB = -40.0  # a block this far below the loudest holds no speech
_SCHEMA = pa.schema(
    [
        ("clip", pa.string()),
        ("shard", pa.int64()),
        ("row", pa.int64()),
        ("f0", pa.float64()),
        ("voiced", pa.float64()),
        ("seconds", pa.float64()),
        ("silent_tail", pa.float64()),
    ]
)


class Pitch(NamedTuple):
    """Pitch of one clip.

    Attributes:
        f0: Median of its voiced frames, in Hz; NaN where no frame is voiced.
        voiced: Share of its frames.
    """

    f0: float
    voiced: float


class _Job(NamedTuple):
    """One WAV shard to measure."""

    wavs: Path
    path: Path
    shard: int
    clips: list[str]
    samples: int

    def made_from(self) -> Iterator[str]:
        """The WAV shard, known by its size and time, its clips, and the one length."""
        wavs = self.wavs.stat()
        yield f"{self.wavs.name} {wavs.st_size} {wavs.st_mtime_ns} {self.samples}"
        yield from self.clips


def measure_pitch(wavs: Path, *, clip: Clip, out: Path, workers: int | None = None) -> int:
    """Measure the pitch of every converted clip of a locale.

    A run that was interrupted goes on with the shards that are complete.

    Args:
        wavs: Folder of WAV shards with its index.
        clip: The one length, at whose end silence is looked for.
        out: Parquet file with a row per clip: clip, shard, row, f0 and voiced (see `Pitch`),
            seconds (its own length) and silent_tail (see `silent_tail`).
        workers: Processes, where there is no cluster; by default one per core.

    Returns:
        The number of clips.
    """
    index = pq.read_table(wavs / INDEX, columns=["clip", "shard", "row"])
    clips: dict[int, list[str]] = {}
    for each in index.sort_by([("shard", "ascending"), ("row", "ascending")]).to_pylist():
        clips.setdefault(each["shard"], []).append(each["clip"])
    samples = clip_samples(clip)
    with resumable_file(out) as folder:
        jobs = [
            _Job(
                wavs.absolute() / shard_name(shard, "tar"),
                folder / shard_name(shard, "parquet"),
                shard,
                names,
                samples,
            )
            for shard, names in clips.items()
        ]
        workers = workers or workers_for(len(jobs), jobs_per_worker=1)
        label = f"pitch {out.stem}"
        made = map_shards(
            _measure_shard, jobs, folder, label=label, total=len(jobs), workers=workers
        )
        count = sum(made)
        tables = [pq.read_table(job.path) for job in jobs]
        pq.write_table(pa.concat_tables([_SCHEMA.empty_table(), *tables]), folder / out.name)
    return count


def _measure_shard(job: _Job) -> int:
    """Write the rows of one shard; return their number."""
    rows = []
    for row, (name, wav) in enumerate(zip(job.clips, read_wavs(job.wavs), strict=True)):
        signal, rate = read_wav(wav)
        tail = silent_tail(samples_of(fix_length(signal, rate, samples=job.samples)), rate)
        values = (name, job.shard, row, *pitch(signal, rate), len(signal) / rate, tail)
        rows.append(dict(zip(_SCHEMA.names, values, strict=True)))
    with whole_file(job.path, by_several=True) as partial:
        pq.write_table(pa.Table.from_pylist(rows, _SCHEMA), partial)
    return len(rows)


def pitch(signal: np.ndarray, sample_rate: int) -> Pitch:
    """Pitch of one clip by Praat's autocorrelation, from 60 to 400 Hz.

    Args:
        signal: Mono PCM, shape (samples,), int16.
        sample_rate: In Hz.

    Source: Boersma, Proceedings of the Institute of Phonetic Sciences 17, 1993.
    """
    # Imported here: a stage that only reads the table has no use for Praat.
    import parselmouth

    if len(signal) < _PERIODS / FLOOR * sample_rate:
        return Pitch(float("nan"), 0.0)
    sound = parselmouth.Sound(signal / 2**15, sample_rate)
    frames = sound.to_pitch_ac(time_step=_STEP, pitch_floor=FLOOR, pitch_ceiling=CEILING)
    frequency = frames.selected_array["frequency"]  # 0 where no pitch is heard
    voiced = frequency[frequency > 0]
    median = float(np.median(voiced)) if len(voiced) else float("nan")
    return Pitch(median, len(voiced) / len(frequency))


def silent_tail(signal: np.ndarray, sample_rate: int) -> float:
    """Seconds at the end of a clip in which no 10 ms come within 40 dB of its loudest 10 ms.

    In a clip of one length, they show how much silence was appended, or that speech was cut.

    Args:
        signal: Mono PCM, shape (samples,), int16.
        sample_rate: In Hz.

    >>> silent_tail(np.repeat([20000, 100, 0], [400, 1600, 800]).astype(np.int16), 8000)
    0.3
    """
    length = round(_BLOCK * sample_rate)
    blocks = signal[: len(signal) // length * length].reshape(-1, length).astype(np.float64)
    power = np.mean(blocks**2, axis=1)
    if not power.any():
        return len(signal) / sample_rate
    last = np.flatnonzero(power >= power.max() * 10 ** (_SILENCE_DB / 10))[-1]
    return round(float((len(signal) - (last + 1) * length) / sample_rate), 4)
