"""For whom a model works: its balanced accuracy by what is known of speaker and clip."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.corpus.labels import AGES
from voicetraits.evaluation.scores import score
from voicetraits.tasks import Task

NOT_GIVEN = "not given"
OTHERS = "others"
_VALUES_SHOWN = 8  # of free text, such as accents; the others share a slice

# Upper ends of the slices of what is measured; the last is open.
_BINS: dict[str, tuple[str, tuple[float, ...]]] = {
    "duration": ("s", (2, 4, 6, 8)),
    "loudness": ("dBFS", (-45, -35, -25, -15)),
}
# In the order in which they are shown.
ATTRIBUTES = ("age", "accent", "duration", "loudness", "source", "locale")


def slice_records(
    labels: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    attributes: pd.DataFrame,
    task: Task,
    *,
    seed: int,
) -> list[dict[str, Any]]:
    """Balanced accuracy of the clips that share an attribute.

    Args:
        labels: Class numbers, shape (clips,).
        predicted: Predicted class numbers, shape (clips,).
        speakers: Speaker of each clip, shape (clips,).
        attributes: Of the same clips in the same order; any of ATTRIBUTES. Duration is in seconds
            and loudness in dBFS, NaN where unknown; the others are text, "" where not given.
        task: The task, for its classes.
        seed: Draws the speakers of the intervals.

    Returns:
        Attribute, slice, and the fields of `Score`. An attribute that has one value alone, given
        or not, divides nothing and has no records.

    Raises:
        ValueError: If the attributes are not those of as many clips.
    """
    if len(attributes) != len(labels):
        raise ValueError(f"attributes of {len(attributes)} clips, and labels of {len(labels)}")
    records = []
    for attribute in ATTRIBUTES:
        if attribute not in attributes:
            continue
        names, order = slice_names(attributes[attribute], attribute)
        if len(order) < 2:
            continue
        for name in order:
            here = names == name
            found = score(
                labels[here],
                predicted[here],
                speakers[here],
                task,
                seed=seed,
                classes_by_choice=attribute == task.column,
            )
            records.append({"attribute": attribute, "slice": name, **found._asdict()})
    return records


def slice_names(values: pd.Series, attribute: str) -> tuple[np.ndarray, list[str]]:
    """The slice of every clip, and the slices that have clips, in the order of showing.

    Args:
        values: Of one attribute.
        attribute: Its name. What is measured is cut into bins; ages stand in the
            order of life; of other texts with many values, the eight most frequent are kept.
    """
    if attribute in _BINS:
        unit, edges = _BINS[attribute]
        numbers = values.to_numpy(float)
        bins = _bin_names(edges, unit)
        names = np.array(bins, dtype=object)[np.digitize(numbers, edges)]
        names[np.isnan(numbers)] = NOT_GIVEN
        order = [*bins, NOT_GIVEN]
    else:
        names = values.fillna("").astype(str).str.strip().replace("", NOT_GIVEN).to_numpy(object)
        given, counts = np.unique(names[names != NOT_GIVEN].astype(str), return_counts=True)
        ranked = [str(given[n]) for n in np.lexsort((given, -counts))]
        if attribute == "age":
            ranked.sort(key=lambda name: AGES.index(name) if name in AGES else len(AGES))
        kept = len(AGES) if attribute == "age" else _VALUES_SHOWN
        rare = set(ranked[kept:])
        names = np.array([OTHERS if name in rare else name for name in names], dtype=object)
        order = [*ranked[:kept], OTHERS, NOT_GIVEN]
    there = set(names)
    return names, [name for name in order if name in there]


def _bin_names(edges: tuple[float, ...], unit: str) -> list[str]:
    between = [f"{low:g} to {high:g} {unit}" for low, high in pairwise(edges)]
    return [f"below {edges[0]:g} {unit}", *between, f"from {edges[-1]:g} {unit}"]
