"""One balanced accuracy with all that says how far to trust it."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voicetraits.evaluation.intervals import (
    Judged,
    balanced_accuracy_interval,
    speakers_by_class,
    too_few_speakers,
)
from voicetraits.tasks import Task


class Score(NamedTuple):
    """The balanced accuracy of some clips.

    Attributes:
        value: Mean recall of the classes that the clips have, 4 digits.
        low, high: Its 95 % interval by speaker; None where a class has one speaker alone, from
            whom nothing can be drawn.
        classes: How many classes the clips have.
        clips: How many clips there are.
        speakers: How many speakers.
        few: Whether too few speakers of a class make the value say little.
        note: In words, why; else empty.
    """

    value: float
    low: float | None
    high: float | None
    classes: int
    clips: int
    speakers: int
    few: bool
    note: str


def score(
    labels: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    task: Task,
    *,
    seed: int,
    classes_by_choice: bool = False,
) -> Score:
    """The balanced accuracy of some clips, which may lack a class.

    Args:
        labels: Class numbers, shape (clips,); at least one.
        predicted: Predicted class numbers, shape (clips,).
        speakers: Speaker of each clip, shape (clips,).
        task: The task, for its classes.
        seed: Draws the speakers of the interval.
        classes_by_choice: Whether a class without clips is no sign of too few speakers, because
            the clips were chosen by class.
    """
    present = np.unique(labels).tolist()
    recalls = [float((predicted[labels == label] == label).mean()) for label in present]
    counts = speakers_by_class(labels, speakers, task)
    if classes_by_choice:
        counts = {name: count for name, count in counts.items() if count}
    low = high = None
    if min(len(np.unique(speakers[labels == label])) for label in present) > 1:
        clips = Judged(labels, predicted, speakers)
        low, high = balanced_accuracy_interval([clips], present, seed=seed)
    note = too_few_speakers(counts, task)
    return Score(
        value=round(float(np.mean(recalls)), 4),
        low=low,
        high=high,
        classes=len(present),
        clips=len(labels),
        speakers=len(np.unique(speakers)),
        few=bool(note),
        note=note,
    )
