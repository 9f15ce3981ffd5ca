"""The picture of one clip: waveform and spectrogram."""

from __future__ import annotations

import matplotlib.style
import numpy as np
from matplotlib.figure import Figure

from voicetraits.plots.style import BLUE, headline, styled


@styled
def example_clip(signal: np.ndarray, sample_rate: int, *, locale: str, label: str) -> Figure:
    """One clip: waveform above spectrogram, on the same time axis.

    Args:
        signal: Mono, shape (samples,), float in [-1, 1]; at least one sample.
        sample_rate: In Hz.
        locale: For the title.
        label: "female" or "male", as the speaker gave it.
    """
    seconds = len(signal) / sample_rate
    figure = Figure(figsize=(9, 5), layout="constrained")
    headline(figure, f"{locale}: voice labelled {label} by the speaker, {seconds:.1f} s")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.9])

    above.plot(np.arange(len(signal)) / sample_rate, signal, color=BLUE, linewidth=0.5)
    limit = 1.05 * max(float(np.abs(signal).max()), 1e-3)
    above.set(title="Waveform", ylabel="amplitude", ylim=(-limit, limit), xlim=(0, seconds))

    # 25 ms windows every 10 ms show syllables and harmonics; a quiet recording spans 80 dB. Steps
    # of 2.5 dB look continuous, and halve the file.
    window = min(round(0.025 * sample_rate), len(signal))
    hop = max(round(0.01 * sample_rate), 1)
    length = max(512, window)
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64)
    power = np.abs(np.fft.rfft(frames * np.hanning(window + 2)[1:-1], length).T) ** 2
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)
    heard = frequencies <= 8000
    decibels = 10 * np.log10(np.maximum(power[heard] / max(power.max(), 1e-20), 1e-8))
    image = below.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap=matplotlib.colormaps["magma"].resampled(32),
        interpolation="nearest",
        vmin=-80,
        vmax=0,
        extent=(0, seconds, 0, frequencies[heard][-1] / 1000),
    )
    below.set(title="Spectrogram", xlabel="time (s)", ylabel="frequency (kHz)")
    figure.colorbar(image, ax=below, label="dB relative to the loudest", pad=0.01)
    return figure
