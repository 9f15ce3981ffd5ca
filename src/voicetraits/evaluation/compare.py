"""Whether one model is better than another, by the speakers that both were tested on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from voicetraits.evaluation.intervals import ENOUGH_SPEAKERS

BETTER, WORSE, SAME = "better", "worse", "not distinguishable"


class Answers(NamedTuple):
    """What one model makes of its test clips, in all repeats; every array has shape (clips,)."""

    labels: np.ndarray  # class numbers
    predicted: np.ndarray  # class numbers
    speakers: np.ndarray  # hashes
    repeats: np.ndarray  # numbers of the splits


@dataclass(frozen=True)
class Difference:
    """How much the second of two models is better than the first.

    Attributes:
        a: Balanced accuracy of the first, on the speakers that both tested.
        b: The same of the second.
        difference: b - a.
        low: Lower end of the 95 % interval of the difference.
        high: Upper end.
        speakers: Number of speakers that both tested, by class.
    """

    a: float
    b: float
    difference: float
    low: float
    high: float
    speakers: Mapping[str, int]

    @property
    def too_few(self) -> str:
        """The class with too few speakers for a verdict; empty where there is none."""
        name = min(self.speakers, key=lambda name: self.speakers[name])
        return name if self.speakers[name] < ENOUGH_SPEAKERS else ""

    @property
    def verdict(self) -> str:
        """BETTER or WORSE where the interval excludes 0, of enough speakers; else SAME."""
        if self.too_few or self.low <= 0 <= self.high:
            return SAME
        return BETTER if self.low > 0 else WORSE


class _Counts(NamedTuple):
    """Clips of one class by repeat and speaker, (repeats, speakers): all, and those found right."""

    clips_a: np.ndarray
    right_a: np.ndarray
    clips_b: np.ndarray
    right_b: np.ndarray


def paired_difference(
    a: Answers, b: Answers, classes: Sequence[str], *, seed: int, draws: int = 2000
) -> Difference | str:
    """The difference in balanced accuracy, with its interval, or why there is none.

    The bootstrap draws speakers within each class, and counts a drawn speaker for both models: so
    what makes a speaker hard for both does not widen the interval. A speaker counts in the repeats
    in which both models tested them, and is drawn in all of these.

    Args:
        a: Of the first model.
        b: Of the second.
        classes: Names of the classes, by their number.
        seed: Of the draws.
        draws: Bootstrap samples.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapters 8 and 13.
    """
    repeats = np.intersect1d(a.repeats, b.repeats)
    by_class = [_counts(a, b, label, repeats) for label in range(len(classes))]
    for name, counts in zip(classes, by_class, strict=True):
        if not counts.clips_a.size:
            return f"no speaker of the class {name} was tested by both"
    rng = np.random.default_rng(seed)
    found_a, found_b = np.mean(
        [_recalls(counts, np.ones(counts.clips_a.shape[1])) for counts in by_class], axis=0
    )
    # One draw at a time, so that memory does not grow with draws times speakers.
    drawn = [
        np.mean([_recalls(counts, _draw(counts, rng)) for counts in by_class], axis=0)
        for _ in range(draws)
    ]
    low, high = np.percentile(np.diff(drawn, axis=1), [2.5, 97.5])
    return Difference(
        a=round(float(found_a), 4),
        b=round(float(found_b), 4),
        difference=round(float(found_b - found_a), 4),
        low=round(float(low), 4),
        high=round(float(high), 4),
        speakers={
            name: counts.clips_a.shape[1] for name, counts in zip(classes, by_class, strict=True)
        },
    )


def _counts(a: Answers, b: Answers, label: int, repeats: np.ndarray) -> _Counts:
    """Counts of the speakers that both tested on a class in at least one repeat."""
    here = [each.labels == label for each in (a, b)]
    names = np.intersect1d(a.speakers[here[0]], b.speakers[here[1]])
    tables = []
    for each, of_class in zip((a, b), here, strict=True):
        known = of_class & np.isin(each.speakers, names) & np.isin(each.repeats, repeats)
        place = (
            np.searchsorted(repeats, each.repeats[known]),
            np.searchsorted(names, each.speakers[known]),
        )
        clips, right = np.zeros((2, len(repeats), len(names)))
        np.add.at(clips, place, 1)
        np.add.at(right, place, each.predicted[known] == label)
        tables += [clips, right]
    both = (tables[0] > 0) & (tables[2] > 0)
    return _Counts(*((table * both)[:, both.any(axis=0)] for table in tables))


def _draw(counts: _Counts, rng: np.random.Generator) -> np.ndarray:
    """How often each speaker is drawn, (speakers,)."""
    speakers = counts.clips_a.shape[1]
    return np.bincount(rng.integers(speakers, size=speakers), minlength=speakers)


def _recalls(counts: _Counts, times: np.ndarray) -> tuple[float, float]:
    """Mean recall over the repeats, of both models, with each speaker counted so many times."""
    clips_a, right_a, clips_b, right_b = (table @ times for table in counts)
    # A repeat that tests none of the drawn speakers has no say. At least one repeat tests some.
    some = clips_a > 0
    return (
        float(np.mean(right_a[some] / clips_a[some])),
        float(np.mean(right_b[some] / clips_b[some])),
    )
