"""Which clips a training pass sees: classes equally often, small groups beyond their share."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
import pandas as pd


def draw(
    labels: np.ndarray,
    groups: Sequence[Hashable],
    *,
    clips: int,
    rng: np.random.Generator,
) -> np.ndarray:
    """Draw clips for one pass, in random order.

    Classes come equally often, to one clip. Inside a class, a clip is drawn in proportion to
    1 / sqrt(clips of its group): a group four times as large comes twice as often. No clip comes
    more than once too often or too seldom, so that a pass leaves out as few as it can.

    Args:
        labels: Class numbers of all clips.
        groups: What each clip's group is, such as its source, language and gender.
        clips: How many to draw; some come more than once where there are fewer.
        rng: Random numbers.

    Returns:
        Places of the clips drawn, shape (clips,).
    """
    weights = weights_of(groups)
    classes = rng.permutation(np.unique(labels))
    shares = np.full(len(classes), clips // len(classes))
    shares[: clips % len(classes)] += 1
    drawn = [
        _draw_evenly(np.flatnonzero(labels == label), weights, share, rng)
        for label, share in zip(classes, shares, strict=True)
    ]
    return rng.permutation(np.concatenate(drawn))


def groups_of(clips: pd.DataFrame) -> list[Hashable]:
    """The group of every clip: where it comes from, its language and its gender.

    Args:
        clips: With columns corpus, source, locale and gender.
    """
    columns = ["corpus", "source", "locale", "gender"]
    return list(clips[columns].itertuples(index=False, name=None))


def weights_of(groups: Sequence[Hashable]) -> np.ndarray:
    """1 / sqrt(clips of the group) for every clip."""
    numbers: dict[Hashable, int] = {}
    group = np.array([numbers.setdefault(name, len(numbers)) for name in groups])
    return 1 / np.sqrt(np.bincount(group)[group])


def _draw_evenly(
    places: np.ndarray, weights: np.ndarray, count: int, rng: np.random.Generator
) -> np.ndarray:
    """Draw places by weight, each as often as expected, rounded up or down.

    Source: Madow, Annals of Mathematical Statistics 20(3), 1949 (systematic sampling).
    """
    places = rng.permutation(places)
    ends = np.cumsum(weights[places])
    points = (np.arange(count) + rng.uniform()) / count * ends[-1]
    # Rounding may leave the last point at the very end.
    return places[np.minimum(np.searchsorted(ends, points, side="right"), len(places) - 1)]
