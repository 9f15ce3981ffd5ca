"""Log-mel in a graph: frame by frame as in features/mel.py, as an image as in spectrogram.py."""

from __future__ import annotations

import numpy as np

from voicetraits.export.graph import Graph
from voicetraits.export.signal import COLUMNS, ROWS, at_least, fourier, framed, power
from voicetraits.features import mel, spectrogram


def log_mel_frames(graph: Graph, wave: str, sample_rate: int) -> str:
    """What voicetraits.features.mel.log_mel_frames gives, turned round.

    Args:
        graph: What to add to.
        wave: Shape (samples,), float64.
        sample_rate: In Hz.

    Returns:
        Shape (frames, 64), float32.
    """
    window, hop = round(mel.WINDOW * sample_rate), round(mel.HOP * sample_rate)
    wave = at_least(graph, wave, window)
    mean = graph.add("ReduceMean", graph.add("Mul", wave, wave), ROWS, keepdims=0)
    rms = graph.add("Max", graph.add("Sqrt", mean), np.float64(1e-9))
    wave = graph.add("Mul", wave, graph.add("Div", np.float64(mel.RMS), rms))
    length = mel.transform_length(window)
    bands = mel.mel_bands(sample_rate, length)
    found = _bands(graph, wave, bands, window=window, hop=hop, length=length)
    found = graph.add("Log", graph.add("Add", found, np.float64(mel.FLOOR)))
    level = graph.add("ReduceMean", found, COLUMNS, keepdims=0)
    least = graph.add("Sub", _percentile(graph, level, mel.LOUD), np.float64(mel.QUIET))
    found = graph.add("Compress", found, graph.add("GreaterOrEqual", level, least), axis=0)
    centred = graph.add("Sub", found, graph.add("ReduceMean", found, ROWS))
    return graph.cast(centred, np.float32)


def log_mel_image(graph: Graph, wave: str, sample_rate: int, *, window: int, hop: int) -> str:
    """What voicetraits.features.spectrogram.log_mel gives.

    Args:
        graph: What to add to.
        wave: Shape (samples,), float64, at least a window.
        sample_rate: In Hz.
        window: In samples.
        hop: In samples.

    Returns:
        Shape (68, frames), float32.
    """
    length = spectrogram.transform_length(window)
    filters = spectrogram.mel_filters(sample_rate, length)
    found = _bands(graph, wave, filters, window=window, hop=hop, length=length)
    loudest = graph.add("ReduceMax", found, keepdims=0)
    # Digital silence is divided by something, too.
    loudest = graph.add("Max", loudest, np.float64(np.finfo(np.float64).tiny))
    least = np.float64(10 ** (-spectrogram.RANGE_DB / 10))
    relative = graph.add("Max", graph.add("Div", found, loudest), least)
    decibels = graph.add("Mul", graph.add("Log", relative), np.float64(10 / np.log(10)))
    return graph.cast(graph.add("Transpose", decibels), np.float32)


def _bands(
    graph: Graph, wave: str, bands: np.ndarray, *, window: int, hop: int, length: int
) -> str:
    """Power in every band, shape (frames, bands)."""
    bands = bands[:, : np.flatnonzero(bands.any(axis=0))[-1] + 1]  # no bin above the last band
    frames = framed(graph, wave, window=window, hop=hop)
    parts = fourier(graph, frames, weights=np.hanning(window), length=length, bins=bands.shape[1])
    # In float32: half the bytes in the file, for a seventh digit that no clip has.
    filters = graph.cast(graph.mostly_zero(bands.T), np.float64)
    return graph.add("MatMul", power(graph, *parts), filters)


def _percentile(graph: Graph, values: str, percent: float) -> str:
    """What np.percentile gives: linear between the two values on both sides."""
    count = graph.size(values)
    last = graph.add("Sub", count, np.int64(1))
    ascending = graph.add("TopK", values, graph.add("Unsqueeze", count, ROWS), largest=0)
    place = graph.add("Mul", graph.cast(last, np.float64), np.float64(percent / 100))
    below = graph.cast(graph.add("Floor", place), np.int64)
    above = graph.add("Min", graph.add("Add", below, np.int64(1)), last)
    share = graph.add("Sub", place, graph.cast(below, np.float64))
    low, high = (graph.add("Gather", ascending, each) for each in (below, above))
    return graph.add("Add", low, graph.add("Mul", share, graph.add("Sub", high, low)))
