"""How sure a figure is: its interval, and the speakers behind it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from voicetraits.tasks import Task

# Test speakers of each class that a model needs for its figures to say something: of fewer, each
# moves the recall by more than ten points.
ENOUGH_SPEAKERS = 10


class Judged(NamedTuple):
    """Test clips of one split: class numbers, those predicted, speakers, of shape (clips,)."""

    labels: np.ndarray
    predicted: np.ndarray
    speakers: np.ndarray


def balanced_accuracy_interval(
    repeats: Sequence[Judged],
    classes: Sequence[int],
    *,
    seed: int,
    draws: int = 2000,
) -> tuple[float, float]:
    """95 % interval of the balanced accuracy, by bootstrap over speakers within each class.

    Clips of one speaker stand or fall together, so the speaker is what is drawn, not the clip. A
    speaker who is drawn is drawn in all repeats that test on them, so that more repeats do not
    pass for more speakers.

    Args:
        repeats: Test clips of every repeat, at least one.
        classes: The classes that count.
        seed: Of the draws.
        draws: Bootstrap samples.

    Returns:
        Lower and upper end, rounded to 4 digits.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    rng = np.random.default_rng(seed)
    recalls = []
    for label in classes:
        here = [each.labels == label for each in repeats]
        named = np.unique(
            np.concatenate([each.speakers[h] for each, h in zip(repeats, here, strict=True)])
        )
        drawn = rng.integers(len(named), size=(draws, len(named)))
        of_repeats = []
        for each, h in zip(repeats, here, strict=True):
            speaker = np.searchsorted(named, each.speakers[h])
            clips = np.bincount(speaker, minlength=len(named))
            hits = each.predicted[h] == label
            right = np.bincount(speaker, weights=hits, minlength=len(named))
            # In a draw that has none of the speakers whom this repeat tests, it has no say.
            tested = clips[drawn].sum(axis=1)
            of_repeats.append(
                np.where(tested > 0, right[drawn].sum(axis=1) / np.maximum(tested, 1), np.nan)
            )
        recalls.append(np.nanmean(of_repeats, axis=0))
    low, high = np.nanpercentile(np.mean(recalls, axis=0), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def speakers_by_class(labels: np.ndarray, speakers: np.ndarray, task: Task) -> dict[str, int]:
    """Number of speakers with a clip of each class.

    Args:
        labels: Class numbers, shape (clips,).
        speakers: Speaker of each clip, shape (clips,).
        task: The task, for its classes.

    >>> task = Task("gender", "gender", ("male", "female"), {}, undersample="random", metrics=())
    >>> speakers_by_class(np.array([0, 0, 1]), np.array(["a", "a", "b"]), task)
    {'male': 1, 'female': 1}
    """
    return {
        name: len(np.unique(speakers[labels == number])) for number, name in enumerate(task.classes)
    }


def too_few_speakers(counts: Mapping[str, int], task: Task) -> str:
    """Which class has fewer test speakers than ENOUGH_SPEAKERS; empty where none has.

    Args:
        counts: From `speakers_by_class`.
        task: The task.

    >>> task = Task("gender", "gender", ("male", "female"), {}, undersample="random", metrics=())
    >>> too_few_speakers({"male": 14, "female": 5}, task)
    '5 speakers labelled female: too few'
    """
    name = min(counts, key=lambda name: counts[name])
    if counts[name] >= ENOUGH_SPEAKERS:
        return ""
    which = f"of {name}" if task.column == "locale" else f"labelled {name}"
    speakers = "speaker" if counts[name] == 1 else "speakers"
    return f"{counts[name]} {speakers} {which}: too few"
