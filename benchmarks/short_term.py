"""CPU time per clip of the short-term features, against pyAudioAnalysis.

    python -m benchmarks.short_term

The clips are those of the pipeline's default: 3.4 s at 16 kHz in 68 windows of 50 ms.
"""

from __future__ import annotations

import os

# Before NumPy: threads that wait for each other would be counted as work.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

from collections.abc import Callable

import numpy as np

from benchmarks._measure import OURS, alternate, compare, cpu_seconds, report
from benchmarks._reference import reference_features
from voicetraits.features.short_term import short_term_features
from voicetraits.workers.memory import keep_freed_memory

SAMPLE_RATE = 16000
WINDOW = 800
SAMPLES = 68 * WINDOW
CLIPS = 8
ROUNDS = 11
# The fast engine runs over the clips this often in a round, for a time the clock can resolve.
REPEATS = 20


def main() -> None:
    """Measure and report."""
    keep_freed_memory()  # as in the pipeline's workers; it serves both sides
    clips = [_clip(seed) for seed in range(CLIPS)]
    # The first call of each also builds its tables.
    difference = max(
        np.abs(_features(short_term_features, clip) - _features(reference_features, clip)).max()
        for clip in clips
    )
    costs = alternate(
        {
            "pyAudioAnalysis": lambda: _cpu_ms(reference_features, clips),
            OURS: lambda: _cpu_ms(short_term_features, clips * REPEATS),
        },
        rounds=ROUNDS,
    )
    comparison = compare(costs, unit="ms of CPU a clip", baseline="pyAudioAnalysis", target=60)
    report("short_term", {"short-term features": comparison})
    print(f"  largest difference between the two: {difference:.1e}")


def _cpu_ms(engine: Callable[..., np.ndarray], clips: list[np.ndarray]) -> float:
    return 1000 * cpu_seconds(lambda: [_features(engine, clip) for clip in clips]) / len(clips)


def _features(engine: Callable[..., np.ndarray], clip: np.ndarray) -> np.ndarray:
    return engine(clip, SAMPLE_RATE, window=WINDOW, hop=WINDOW)


def _clip(seed: int) -> np.ndarray:
    """Syllables of a gliding voice between bursts of noise, and appended silence; int16."""
    rng = np.random.default_rng(seed)
    seconds = np.arange(SAMPLES) / SAMPLE_RATE
    pitch = rng.uniform(90, 220) * (1 + 0.1 * np.sin(2 * np.pi * 0.7 * seconds))
    phase = 2 * np.pi * np.cumsum(pitch) / SAMPLE_RATE
    voice = sum(np.sin(number * phase) / number for number in range(1, 30))
    syllables = np.sin(2 * np.pi * 3 * seconds)
    signal = 3000 * np.maximum(syllables, 0) * voice
    signal += rng.normal(scale=30 + 600 * np.maximum(-syllables, 0))
    signal[int(SAMPLES * rng.uniform(0.7, 1)) :] = 0
    return np.round(signal).astype(np.int16)


if __name__ == "__main__":
    main()
