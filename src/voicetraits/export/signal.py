"""Samples to frames and their Fourier transforms, in a graph, with the precision of NumPy's.

Everything before the network is float64: quiet bands beside loud ones, and frames that just pass
the limit of those dropped, would come out otherwise in float32.
"""

from __future__ import annotations

import math

import numpy as np

from voicetraits.export.graph import Graph

ROWS, COLUMNS = np.array([0]), np.array([1])


def at_least(graph: Graph, wave: str, samples: int) -> str:
    """Append silence to a signal that is shorter than so many samples."""
    missing = graph.add("Sub", np.int64(samples), graph.size(wave))
    missing = graph.add("Max", missing, np.int64(0))
    pads = graph.add("Concat", np.array([0]), graph.add("Unsqueeze", missing, ROWS), axis=0)
    return graph.add("Pad", wave, pads)


def exactly(graph: Graph, wave: str, samples: int) -> str:
    """Append silence to a signal, or cut it, so that it has so many samples."""
    longer = at_least(graph, wave, samples)
    return graph.add("Slice", longer, np.array([0]), np.array([samples]))


def framed(graph: Graph, wave: str, *, window: int, hop: int) -> str:
    """All full windows of a signal that has at least one, shape (frames, window).

    Windows begin and end between blocks of a length that divides both window and hop: taking blocks
    is ten times as fast as taking samples.
    """
    block = math.gcd(window, hop)
    samples = graph.size(wave)
    beyond = graph.add("Sub", samples, np.int64(window))
    count = graph.add("Add", graph.add("Div", beyond, np.int64(hop)), np.int64(1))
    starts = graph.add("Mul", graph.range(count), np.int64(hop // block))
    places = graph.add("Add", graph.add("Unsqueeze", starts, COLUMNS), np.arange(window // block))
    whole = graph.add("Mul", graph.add("Div", samples, np.int64(block)), np.int64(block))
    kept = graph.add("Slice", wave, ROWS, graph.add("Unsqueeze", whole, ROWS))
    blocks = graph.add("Reshape", kept, np.array([-1, block]))
    return graph.add("Reshape", graph.add("Gather", blocks, places), np.array([-1, window]))


def fourier(
    graph: Graph, frames: str, *, weights: np.ndarray, length: int, bins: int
) -> tuple[str, str]:
    """Two values of every frame and bin, whose squares sum to the power of its Fourier transform.

    They are the real and imaginary part about the middle of the frame, where a cosine is the same
    on both sides and a sine has the other sign: so samples as far from the middle on one side as on
    the other are added first, which leaves half of the products.

    The cosines are no constants of the file, where they would outweigh the network. The graph looks
    them up in one period, which onnxruntime does once, as it loads the file.

    Args:
        graph: What to add to.
        frames: Shape (frames, window).
        weights: Of the window's samples, shape (window,).
        length: To which a frame is padded.
        bins: The lowest bins, which are kept.

    Returns:
        Two values of shape (frames, bins), float64.
    """
    window = len(weights)
    half, odd = divmod(window, 2)
    weighted = graph.add("Mul", frames, weights)
    later = graph.add("Slice", weighted, np.array([half]), np.array([window]), COLUMNS)
    ends = np.array([half - 1]), np.array([-window - 1]), COLUMNS, np.array([-1])
    earlier = graph.add("Slice", weighted, *ends)
    if odd:  # the sample in the middle is like no other
        earlier = graph.add("Pad", earlier, np.array([0, 1, 0, 0]))
    # In halves of a sample, so that the middle of an even window has a number, too.
    away = 1 - odd + 2 * np.arange(half + odd)
    turns = np.pi * np.arange(2 * length) / length
    places = graph.add("Mul", away[:, None], np.arange(bins))
    places = graph.add("Mod", places, np.int64(2 * length))
    cosines, sines = (graph.add("Gather", period(turns), places) for period in (np.cos, np.sin))
    real = graph.add("MatMul", graph.add("Add", later, earlier), cosines)
    return real, graph.add("MatMul", graph.add("Sub", later, earlier), sines)


def power(graph: Graph, real: str, imaginary: str) -> str:
    """Squared magnitudes of a Fourier transform."""
    squares = (graph.add("Mul", part, part) for part in (real, imaginary))
    return graph.add("Add", *squares)
