"""CPU time per clip of the short-term features, against pyAudioAnalysis in the same run.

    python benchmarks/short_term.py [result.json]

Rounds of both engines alternate, so that a machine busy with other work slows both alike. The
clips are those of the pipeline's default: 3.4 s at 16 kHz in 68 windows of 50 ms.
"""

from __future__ import annotations

import os

# Before NumPy: threads that wait for each other would be counted as work.
os.environ |= {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}

import json
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from voicetraits.features.short_term import reference_features, short_term_features

SAMPLE_RATE = 16000
WINDOW = 800
SAMPLES = 68 * WINDOW
CLIPS = 8
ROUNDS = 11
# The fast engine runs over the clips this often in a round, for a time the clock can resolve.
REPEATS = 20


def main() -> None:
    """Measure, print, and write the figures where a path is given."""
    clips = [_clip(seed) for seed in range(CLIPS)]
    difference = max(
        np.abs(_features(short_term_features, clip) - _features(reference_features, clip)).max()
        for clip in clips
    )
    rounds = [
        (_cpu_ms(reference_features, clips), _cpu_ms(short_term_features, clips * REPEATS))
        for _ in range(ROUNDS)
    ]
    reference, fast = zip(*rounds, strict=True)
    ratios = [slow / quick for slow, quick in rounds]
    result = {
        "pyaudioanalysis_ms": round(min(reference), 1),
        "voicetraits_ms": round(min(fast), 3),
        "ratio_lowest": round(min(ratios), 1),
        "ratio_median": round(statistics.median(ratios), 1),
        "ratio_highest": round(max(ratios), 1),
        "largest_difference": float(f"{difference:.1e}"),
    }
    print(
        f"{result['pyaudioanalysis_ms']} ms of CPU a clip through pyAudioAnalysis, "
        f"{result['voicetraits_ms']} ms here (best of {ROUNDS} rounds)\n"
        f"times less CPU within a round: median {result['ratio_median']}, "
        f"{result['ratio_lowest']} to {result['ratio_highest']}; "
        f"largest difference {result['largest_difference']}"
    )
    if len(sys.argv) > 1:
        Path(sys.argv[1]).write_text(json.dumps(result, indent=2) + "\n")


def _cpu_ms(engine: Callable[..., np.ndarray], clips: list[np.ndarray]) -> float:
    start = time.process_time()
    for clip in clips:
        _features(engine, clip)
    return 1000 * (time.process_time() - start) / len(clips)


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
