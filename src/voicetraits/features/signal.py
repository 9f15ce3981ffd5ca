"""What both representations ask of a signal."""

from __future__ import annotations

import numpy as np

# Louder samples, in float64, overflow when their mean is taken.
_LOUDEST = 1e300


def checked_signal(signal: np.ndarray, sample_rate: int, *, window: int, hop: int) -> np.ndarray:
    """The signal as it is, if it can be analysed.

    Args:
        signal: Mono PCM, shape (samples,).
        sample_rate: In Hz.
        window: Window length in samples.
        hop: Step between windows in samples.

    Raises:
        ValueError: If the signal is not mono, is shorter than one window or holds values that are
            not numbers, or if the window, the hop or the rate is out of range.
    """
    signal = np.asarray(signal)
    if window < 2 or hop < 1 or not sample_rate > 0:
        raise ValueError(
            "expected a window of two samples or more, a hop of one or more and a positive sample "
            f"rate, got window {window}, hop {hop}, {sample_rate} Hz"
        )
    if signal.ndim != 1 or len(signal) < window:
        raise ValueError(
            f"expected a mono signal of at least one window ({window} samples), "
            f"got shape {signal.shape}"
        )
    if signal.dtype.kind == "f" and not float(np.abs(signal).max()) <= _LOUDEST:
        raise ValueError(f"the signal holds samples that are not numbers, or beyond {_LOUDEST:.0e}")
    return signal
