"""Evenly spread crops of a clip, in a graph."""

from __future__ import annotations

import numpy as np

from voicetraits.export.graph import Graph
from voicetraits.export.signal import COLUMNS, ROWS
from voicetraits.params import STEP, Crops


def spread_crops(graph: Graph, clip: str, crops: Crops) -> str:
    """The crops of one clip that voicetraits.training.crops.predict_clips shows a network.

    Args:
        graph: What to add to.
        clip: Shape (frames, bands).
        crops: How many, and how long.

    Returns:
        Shape (crops, bands, frames).
    """
    count = graph.size(clip)
    last = graph.add("Max", graph.add("Sub", count, np.int64(crops.frames)), np.int64(0))
    starts = graph.add("Unsqueeze", _starts(graph, last, crops.most), COLUMNS)
    places = graph.add("Add", starts, _frames(graph, count, crops))
    # A clip that is shorter than its crop is repeated.
    cut = graph.add("Gather", clip, graph.add("Mod", places, count))
    return graph.add("Transpose", cut, perm=[0, 2, 1])


def _frames(graph: Graph, count: str, crops: Crops) -> str:
    """The numbers of a crop's frames; see `Crops`."""
    steps = graph.add("Div", graph.add("Add", count, np.int64(STEP - 1)), np.int64(STEP))
    longer = graph.add("Max", graph.add("Mul", steps, np.int64(STEP)), np.int64(crops.least))
    return graph.range(graph.add("Min", longer, np.int64(crops.frames)))


def _starts(graph: Graph, last: str, most: int) -> str:
    """Starts of the crops, ascending, none twice; a single one lies in the middle."""
    if most == 1:
        return graph.add("Unsqueeze", graph.add("Div", last, np.int64(2)), ROWS)
    step = graph.add("Div", graph.cast(last, np.float64), np.float64(most - 1))
    spread = graph.add("Mul", np.arange(most, dtype=np.float64), step)
    return graph.add("Unique", graph.cast(graph.add("Round", spread), np.int64))
