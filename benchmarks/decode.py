"""CPU time from an MP3 file to 3.4 s of 16 kHz mono, against FFmpeg and pydub.

    python -m benchmarks.decode

Both decode in this process. The clips are those of the sample corpus.
"""

from __future__ import annotations

import os

# Before NumPy: threads that wait for each other would be counted as work.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._measure import OURS, alternate, compare, cpu_seconds, report
from benchmarks._pydub import pydub_clip
from benchmarks._sample import sample_corpus
from voicetraits.audio.decode import decode
from voicetraits.audio.wav import clip_samples, fix_length
from voicetraits.params import Clip, load_params
from voicetraits.selection.clip_table import read_clip_table
from voicetraits.workers.memory import keep_freed_memory

BASELINE = "FFmpeg and pydub"
SPEAKERS = 5
CLIPS = 40
ROUNDS = 9
# Ours runs over the clips this often in a round, for a time the clock can resolve.
REPEATS = 5


def main() -> None:
    """Measure and report."""
    params = load_params()
    clip = params.clip
    keep_freed_memory()  # as in the pipeline's workers; it serves both sides
    with tempfile.TemporaryDirectory() as name:
        paths = _mp3s(Path(name))
        # The first of each also imports what it needs.
        assert len(_ours(paths[0], clip)) == len(_theirs(paths[0], clip))
        costs = alternate(
            {
                BASELINE: lambda: _cpu_ms(_theirs, paths, clip),
                OURS: lambda: _cpu_ms(_ours, paths * REPEATS, clip),
            },
            rounds=ROUNDS,
        )
    comparison = compare(costs, unit="ms of CPU a clip", baseline=BASELINE, target=10)
    report("decode", {"MP3 to fixed-length mono": comparison})


def _mp3s(folder: Path) -> list[Path]:
    """Clips of the sample corpus as files."""
    corpus = sample_corpus(load_params(), "es", folder=folder, speakers=SPEAKERS)
    names = read_clip_table(corpus)["clip"][:CLIPS]
    for name, data in corpus.clips(set(names)):
        (folder / name).write_bytes(data)
    return [folder / name for name in names]


def _cpu_ms(engine: Callable[[Path, Clip], Any], paths: list[Path], clip: Clip) -> float:
    return 1000 * cpu_seconds(lambda: [engine(path, clip) for path in paths]) / len(paths)


def _ours(path: Path, clip: Clip) -> Any:
    sound = decode(
        path.read_bytes(), name=path.name, sample_rate=clip.sample_rate, seconds=clip.seconds
    )
    return fix_length(sound.signal, clip.sample_rate, samples=clip_samples(clip))


def _theirs(path: Path, clip: Clip) -> Any:
    return pydub_clip(path, sample_rate=clip.sample_rate, samples=clip_samples(clip))


if __name__ == "__main__":
    main()
