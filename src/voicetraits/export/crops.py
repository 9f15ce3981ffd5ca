"""Evenly spread crops of a clip, in a graph."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voicetraits.export.graph import Graph
from voicetraits.export.signal import COLUMNS, ROWS


class Crops(NamedTuple):
    """What a network on clips of any length is shown of each.

    Attributes:
        frames: Length of a crop.
        most: How many crops a clip has, at most.
    """

    frames: int
    most: int


def spread_crops(graph: Graph, clip: str, crops: Crops) -> str:
    """What voicetraits.training.crops.SpreadCrops gives for one clip.

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
    places = graph.add("Add", starts, np.arange(crops.frames))
    # A clip that is shorter than a crop is repeated.
    cut = graph.add("Gather", clip, graph.add("Mod", places, count))
    return graph.add("Transpose", cut, perm=[0, 2, 1])


def _starts(graph: Graph, last: str, most: int) -> str:
    """Starts of the crops, ascending, none twice; a single one lies in the middle."""
    if most == 1:
        return graph.add("Unsqueeze", graph.add("Div", last, np.int64(2)), ROWS)
    step = graph.add("Div", graph.cast(last, np.float64), np.float64(most - 1))
    spread = graph.add("Mul", np.arange(most, dtype=np.float64), step)
    return graph.add("Unique", graph.cast(graph.add("Round", spread), np.int64))
