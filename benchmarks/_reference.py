"""The features by pyAudioAnalysis's own loop, which ours are measured against."""

from __future__ import annotations

import numpy as np

from voicetraits.features.signal import checked_signal
from voicetraits.features.tables import reference, tables_for


def reference_features(
    signal: np.ndarray, sample_rate: int, *, window: int, hop: int
) -> np.ndarray:
    """Short-term features of one clip, frame by frame.

    Arguments, result and errors are those of `short_term_features`.
    """
    signal = checked_signal(signal, sample_rate, window=window, hop=hop)
    tables_for(sample_rate, window)  # for its errors
    features, _ = reference().feature_extraction(signal, sample_rate, window, hop)
    return features
