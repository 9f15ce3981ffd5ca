"""The log-mel spectrogram, of the same shape as the short-term features."""

from __future__ import annotations

from functools import cache

import numpy as np

from voicetraits.features.signal import checked_signal

BANDS = 68
# Everything this far below a clip's loudest value counts as silence, so that the floor of a
# recording (and the appended silence) does not stretch the scale.
RANGE_DB = 80.0


def log_mel(signal: np.ndarray, sample_rate: int, *, window: int, hop: int) -> np.ndarray:
    """Log-mel spectrogram of one clip, relative to its loudest value.

    Args:
        signal: Mono PCM, shape (samples,); the scale does not matter.
        sample_rate: In Hz.
        window: Window length in samples (Hann).
        hop: Step between windows in samples.

    Returns:
        Shape (68, frames), float64, in dB from -80 to 0; lowest band first,
        frames = 1 + (samples - window) // hop. Digital silence gives -80 everywhere.

    Raises:
        ValueError: If the signal is not mono, is shorter than one window or holds values that are
            not numbers, or if the window is too short for the bands.

    Source: Stevens, Volkmann and Newman, JASA 8(3), 1937 (the mel scale), in O'Shaughnessy's
        form 2595 log10(1 + f/700), Speech Communication, 1987.
    """
    signal = checked_signal(signal, sample_rate, window=window, hop=hop).astype(np.float64)
    fft_length = transform_length(window)
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop]
    spectrum = np.fft.rfft(frames * np.hanning(window), fft_length)
    power = spectrum.real**2 + spectrum.imag**2
    mel = power @ mel_filters(sample_rate, fft_length).T
    loudest = mel.max()
    if loudest == 0:
        return np.full((BANDS, len(frames)), -RANGE_DB)
    decibels = 10 * np.log10(np.maximum(mel / loudest, 10 ** (-RANGE_DB / 10)))
    return decibels.T


def transform_length(window: int) -> int:
    """Padded to twice the window, at least: the lowest mel bands are narrower than a bin."""
    return int(2 ** np.ceil(np.log2(2 * window)))


@cache
def mel_filters(sample_rate: int, fft_length: int) -> np.ndarray:
    """Triangular filters, evenly spaced on the mel scale from 0 Hz to half the sample rate.

    Returns:
        Shape (68, fft_length // 2 + 1); the peak of each triangle is 1.

    Raises:
        ValueError: If a filter would hold no frequency bin, which a longer window cures.
    """
    edges = _hertz(np.linspace(0, _mel(sample_rate / 2), BANDS + 2))
    bins = np.fft.rfftfreq(fft_length, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    falling = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    filters = np.maximum(0, np.minimum(rising, falling))
    if not filters.any(axis=1).all():
        raise ValueError(
            f"a window of {fft_length // 2} samples at {sample_rate} Hz is too short for {BANDS} "
            "mel bands; raise extract.window"
        )
    return filters


def _mel(hertz: float) -> float:
    return 2595 * np.log10(1 + hertz / 700)


def _hertz(mel: np.ndarray) -> np.ndarray:
    return 700 * (10 ** (mel / 2595) - 1)
