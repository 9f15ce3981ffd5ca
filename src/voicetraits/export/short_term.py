"""The 68 short-term features in a graph, as in features/short_term.py.

Frames of appended silence are touchy, and so is what a tie decides; see there. Their cepstrum comes
from rounding errors, and differs from NumPy's by up to 1e-4.
"""

from __future__ import annotations

import numpy as np

from voicetraits.export.graph import Graph
from voicetraits.export.signal import COLUMNS, ROWS, fourier, framed, power
from voicetraits.features.short_term import BLOCKS, EPS
from voicetraits.features.tables import Tables, tables_for

_ONE, _EPS = np.float64(1), np.float64(EPS)


def short_term_features(graph: Graph, wave: str, sample_rate: int, *, window: int, hop: int) -> str:
    """What voicetraits.features.short_term.short_term_features gives.

    Args:
        graph: What to add to.
        wave: Shape (samples,), float64, at least a window.
        sample_rate: In Hz.
        window: In samples.
        hop: In samples.

    Returns:
        Shape (68, frames), float32.
    """
    tables = tables_for(sample_rate, window)
    frames = framed(graph, _normalised(graph, wave), window=window, hop=hop)
    bins = window // 2
    magnitude = _magnitude(graph, frames, window=window, bins=bins)
    squares = graph.add("Mul", magnitude, magnitude)
    total, summed = _sum(graph, magnitude), _sum(graph, squares)
    energies = graph.add("Mul", frames, frames)
    energy = _sum(graph, energies)
    chroma = _chroma(graph, squares, summed, tables)
    found = graph.add(
        "Concat",
        _zero_crossing_rate(graph, frames, window=window),
        graph.add("Div", energy, np.float64(window)),
        _entropy(graph, energies, energy, values=window),
        *_centroid_and_spread(graph, magnitude, total, tables.frequency),
        _entropy(graph, squares, summed, values=bins),
        _flux(graph, magnitude, total, bins=bins),
        _rolloff(graph, squares, summed, bins=bins),
        _cepstrum(graph, magnitude, tables),
        chroma,
        _deviation(graph, chroma),
        axis=1,
    )
    steps = graph.add("Sub", found, _previous(graph, found))
    return graph.cast(graph.add("Transpose", graph.add("Concat", found, steps, axis=1)), np.float32)


def _sum(graph: Graph, rows: str) -> str:
    """Sums of rows, shape (rows, 1)."""
    return graph.add("ReduceSum", rows, COLUMNS)


def _columns(graph: Graph, rows: str, first: int, end: int) -> str:
    return graph.add("Slice", rows, np.array([first]), np.array([end]), COLUMNS)


def _previous(graph: Graph, rows: str) -> str:
    """The row before each, and the first in its own place."""
    first = graph.add("Slice", rows, np.array([0]), np.array([1]), ROWS)
    others = graph.add("Slice", rows, np.array([0]), np.array([-1]), ROWS)
    return graph.add("Concat", first, others, axis=0)


def _or_one(graph: Graph, sums: str) -> str:
    """Sums by which to divide: 1 in place of 0."""
    return graph.add("Where", graph.add("Greater", sums, np.float64(0)), sums, _ONE)


def _normalised(graph: Graph, wave: str) -> str:
    count = graph.cast(graph.size(wave), np.float64)
    # Not ReduceMean: where a sample is the mean, nothing may be left of it.
    mean = graph.add("Div", graph.add("ReduceSum", wave, keepdims=0), count)
    centred = graph.add("Sub", wave, mean)
    peak = graph.add("ReduceMax", graph.add("Abs", centred), keepdims=0)
    return graph.add("Div", centred, graph.add("Add", peak, np.float64(1e-10)))


def _magnitude(graph: Graph, frames: str, *, window: int, bins: int) -> str:
    # The mean goes its own way: from a constant, such as appended silence, sums of cosines leave
    # rounding errors, and the cepstrum takes their logarithm.
    mean = graph.add("ReduceMean", frames, COLUMNS)
    real, imaginary = fourier(
        graph,
        graph.add("Sub", frames, mean),
        weights=np.ones(window),
        length=window,
        bins=bins,
    )
    of_mean = graph.add("Mul", mean, window * np.eye(1, bins))
    squares = power(graph, graph.add("Add", real, of_mean), imaginary)
    return graph.add("Div", graph.add("Sqrt", squares), np.float64(bins))


def _zero_crossing_rate(graph: Graph, frames: str, *, window: int) -> str:
    signs = graph.add("Sign", frames)
    later, earlier = _columns(graph, signs, 1, window), _columns(graph, signs, 0, window - 1)
    steps = graph.add("Abs", graph.add("Sub", later, earlier))
    return graph.add("Div", _sum(graph, steps), np.float64(2 * (window - 1)))


def _entropy(graph: Graph, energies: str, energy: str, *, values: int) -> str:
    """Entropy in bits of how a row's energy is shared out over its blocks."""
    length = values // BLOCKS
    blocks = _columns(graph, energies, 0, BLOCKS * length)
    blocks = graph.add("Reshape", blocks, np.array([-1, BLOCKS, length]))
    blocks = graph.add("ReduceSum", blocks, np.array([2]), keepdims=0)
    shares = graph.add("Div", blocks, graph.add("Add", energy, _EPS))
    bits = graph.add("Log", graph.add("Add", shares, _EPS))
    bits = graph.add("Mul", bits, np.float64(-1 / np.log(2)))
    return _sum(graph, graph.add("Mul", shares, bits))


def _centroid_and_spread(
    graph: Graph, magnitude: str, total: str, frequency: np.ndarray
) -> tuple[str, str]:
    total = _or_one(graph, total)
    centroid = graph.add("Div", graph.add("MatMul", magnitude, frequency[:, None]), total)
    distance = graph.add("Sub", frequency, centroid)
    squares = graph.add("Mul", graph.add("Mul", distance, distance), magnitude)
    return centroid, graph.add("Sqrt", graph.add("Div", _sum(graph, squares), total))


def _flux(graph: Graph, magnitude: str, total: str, *, bins: int) -> str:
    """Squared distance between successive spectra, each divided by its sum; 0 for the first."""
    shares = graph.add("Div", magnitude, graph.add("Add", total, np.float64(bins * EPS)))
    steps = graph.add("Sub", shares, _previous(graph, shares))
    return _sum(graph, graph.add("Mul", steps, steps))


def _rolloff(graph: Graph, squares: str, summed: str, *, bins: int) -> str:
    """Share of the bins below the one where the summed power passes nine tenths."""
    running = graph.add("Add", graph.add("CumSum", squares, np.int64(1)), _EPS)
    above = graph.add("Greater", running, graph.add("Mul", summed, np.float64(0.9)))
    first = graph.add("ArgMax", graph.cast(above, np.float32), axis=1, keepdims=1)
    return graph.add("Div", graph.cast(first, np.float64), np.float64(bins))


def _cepstrum(graph: Graph, magnitude: str, tables: Tables) -> str:
    heard = _columns(graph, magnitude, tables.mel_bins.start or 0, tables.mel_bins.stop)
    mel = graph.add("Add", graph.add("MatMul", heard, tables.mel), _EPS)
    return graph.add("MatMul", graph.add("Log", mel), tables.cosine)


def _chroma(graph: Graph, squares: str, summed: str, tables: Tables) -> str:
    notes = graph.add("Gather", squares, tables.chroma_bins, axis=1)
    return graph.add("Div", graph.add("MatMul", notes, tables.chroma), _or_one(graph, summed))


def _deviation(graph: Graph, rows: str) -> str:
    centred = graph.add("Sub", rows, graph.add("ReduceMean", rows, COLUMNS))
    return graph.add("Sqrt", graph.add("ReduceMean", graph.add("Mul", centred, centred), COLUMNS))
