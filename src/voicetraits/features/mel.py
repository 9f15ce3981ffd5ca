"""Log-mel of a clip at its own length, without pauses and without the sound of its channel."""

from __future__ import annotations

from functools import cache

import numpy as np

BANDS = 64
LOW, HIGH = 50.0, 7600.0  # Hz; the upper end is half the sample rate where that is less
WINDOW, HOP = 0.025, 0.010  # seconds
RMS = 0.1  # that every clip is brought to
FLOOR = 1e-7  # added to the power
QUIET = 6.0  # nats below the loud frames, at which a frame holds no speech
LOUD = 95  # percentile of the frames' levels that stands for the loud ones


def log_mel_frames(signal: np.ndarray, sample_rate: int) -> np.ndarray:
    """Log-mel frames of one clip, as many as it has with sound.

    The clip is brought to one level. Frames far below the loud ones are dropped, and from each
    band its mean over the clip is subtracted, which removes what microphone and line add.

    Args:
        signal: Mono PCM, shape (samples,), int16; shorter than a window, it is followed by
            silence.
        sample_rate: In Hz.

    Returns:
        Shape (64, frames), float32, at least one frame; nats. All zero for digital silence.
    """
    window, hop = round(WINDOW * sample_rate), round(HOP * sample_rate)
    wave = signal.astype(np.float64) / 2**15
    if len(wave) < window:
        wave = np.pad(wave, (0, window - len(wave)))
    wave *= RMS / max(float(np.sqrt(np.mean(wave**2))), 1e-9)
    frames = np.lib.stride_tricks.sliding_window_view(wave, window)[::hop]
    length = transform_length(window)
    spectrum = np.fft.rfft(frames * np.hanning(window), length)
    power = spectrum.real**2 + spectrum.imag**2
    mel = np.log(power @ mel_bands(sample_rate, length).T + FLOOR)
    level = mel.mean(axis=1)
    mel = mel[level >= np.percentile(level, LOUD) - QUIET]
    return (mel - mel.mean(axis=0)).T.astype(np.float32)


def transform_length(window: int) -> int:
    """The power of two to which a window is padded."""
    return int(2 ** np.ceil(np.log2(window)))


@cache
def mel_bands(sample_rate: int, length: int) -> np.ndarray:
    """Triangular bands, evenly spaced on the mel scale, shape (64, length // 2 + 1).

    A band narrower than a frequency bin has the nearest bin alone.

    Source: O'Shaughnessy, Speech Communication, 1987: mel = 2595 log10(1 + f / 700).
    """
    low, high = (2595 * np.log10(1 + hertz / 700) for hertz in (LOW, min(HIGH, sample_rate / 2)))
    mels = np.linspace(low, high, BANDS + 2)
    edges = 700 * (10 ** (mels / 2595) - 1)
    bins = np.fft.rfftfreq(length, 1 / sample_rate)
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    bands = np.maximum(0, np.minimum(rising, falling))
    for band in np.flatnonzero(~bands.any(axis=1)):
        bands[band, np.abs(bins - edges[band + 1]).argmin()] = 1
    return bands
