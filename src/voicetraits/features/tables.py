"""The filters, chroma weights and cosines of pyAudioAnalysis, by its own functions."""

from __future__ import annotations

from functools import cache
from types import ModuleType
from typing import NamedTuple

import numpy as np

from voicetraits.workers.imports import without


def reference() -> ModuleType:
    """pyAudioAnalysis, without what costs more CPU to import than a thousand clips' features."""
    with without("matplotlib", "matplotlib.pyplot", "scipy.signal"):
        from pyAudioAnalysis import ShortTermFeatures
    return ShortTermFeatures


class Tables(NamedTuple):
    """What depends on the sample rate and the window alone."""

    frequency: np.ndarray  # of each bin, as a share of half the sample rate
    mel_bins: slice  # the bins that any mel filter weighs
    mel: np.ndarray  # (mel bins, 40)
    cosine: np.ndarray  # (40, 13), from natural logarithms to the cepstrum
    chroma_bins: np.ndarray
    chroma: np.ndarray  # (chroma bins, 12)


@cache
def tables_for(sample_rate: int, window: int) -> Tables:
    """Make the tables, once for every rate and window.

    Args:
        sample_rate: In Hz.
        window: In samples.

    Raises:
        ValueError: If pyAudioAnalysis has no filters or no chroma for them.
    """
    from scipy.fft import dct

    bins = window // 2
    try:
        # Quirk: told that the transform has half its length, the filters stand on the bins of
        # half their frequencies: a filter for 1,000 Hz weighs what sounds at 500 Hz.
        filters, _ = reference().mfcc_filter_banks(sample_rate, bins)
    except IndexError:
        raise ValueError(
            "the mel filters of pyAudioAnalysis reach 6,854 Hz and need a sample rate of at least "
            f"that, got {sample_rate} Hz; raise clip.sample_rate"
        ) from None
    weighed = np.flatnonzero(filters.any(axis=0))
    mel_bins = slice(weighed[0], weighed[-1] + 1) if len(weighed) else slice(0)
    cosine = dct(np.eye(len(filters)), type=2, norm="ortho")[:, :13] / np.log(10)
    return Tables(
        np.arange(1, bins + 1) / bins,
        mel_bins,
        np.ascontiguousarray(filters[:, mel_bins].T),
        np.ascontiguousarray(cosine),
        *_chroma_tables(sample_rate, window),
    )


def _chroma_tables(sample_rate: int, window: int) -> tuple[np.ndarray, np.ndarray]:
    """Which bins count for chroma, and the weight of each in the twelve classes."""
    bins = window // 2
    notes, bins_of_note = reference().chroma_features_init(bins, sample_rate)
    if bins == 1:  # Quirk: the chroma of a window of two or three samples is zero.
        return np.empty(0, dtype=int), np.empty((0, 12))
    if notes.max() >= bins:
        raise ValueError(
            f"a window of {window} samples is too short for the chroma of pyAudioAnalysis at "
            f"{sample_rate} Hz; raise extract.window to {2 * (notes.max() + 1)} samples or more"
        )
    # Quirk: pyAudioAnalysis assigns the power of each bin to its note where it should add, so the
    # last bin of a note stands for all. Notes below 27.5 Hz are negative and count from the end.
    last_bin = np.full(bins, -1)
    last_bin[notes] = np.arange(bins)
    used = np.flatnonzero(last_bin >= 0)
    weights = np.zeros((len(used), 12))
    # Quirk: a note is divided by the number of bins, not of this note, but of the one at the bin
    # whose number is this note's.
    weights[np.arange(len(used)), used % 12] = 1 / bins_of_note[notes[used]]
    return last_bin[used], weights
