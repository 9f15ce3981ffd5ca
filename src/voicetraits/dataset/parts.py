"""Training, validation and test part of a task, encoded and with the scaling of the network."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from voicetraits.dataset.arrays import Arrays, Chosen
from voicetraits.dataset.scaling import Scaling, fit_scaling
from voicetraits.params import Protocol
from voicetraits.tasks import Task

TRAINING, VALIDATION, TEST = "training", "validation", "test"
PARTS = (TRAINING, VALIDATION, TEST)
# The class number of a clip without a label of a task.
UNLABELLED = -1


@dataclass(frozen=True)
class Part:
    """Clips of one part, ready for a model.

    Attributes:
        clips: The rows of the split table.
        arrays: Unscaled, shape (clips, 68, frames).
        labels: Class numbers, shape (clips,), in the order of the task's classes.
    """

    clips: pd.DataFrame
    arrays: Arrays
    labels: np.ndarray


def prepare(
    clips: pd.DataFrame, arrays: Arrays, task: Task, protocol: Protocol
) -> tuple[dict[str, Part], Scaling]:
    """Encode what undersampling has left, and fit the scaling, as the protocol says.

    Args:
        clips: The chosen rows of the split table, with columns label and part.
        arrays: Shape (clips, 68, frames), in the same order. The parts look into them: nothing is
            copied.
        task: The task.
        protocol: Whether the scaling is fitted on the training part or on everything.

    Returns:
        The parts by name, and the scaling.
    """
    numbers = encode(clips["label"].to_numpy(), task)
    rows = {name: np.flatnonzero(clips["part"] == name) for name in PARTS}
    parts = {
        name: Part(clips.iloc[here].reset_index(drop=True), Chosen(arrays, here), numbers[here])
        for name, here in rows.items()
    }
    of_training = protocol.scale == "training"
    return parts, fit_scaling(parts[TRAINING].arrays if of_training else arrays)


def encode(labels: np.ndarray, task: Task) -> np.ndarray:
    """Class names to class numbers, in the order of the task's classes."""
    from sklearn.preprocessing import LabelEncoder

    encoder = LabelEncoder().fit(sorted(task.classes))
    order = np.array([task.classes.index(name) for name in encoder.classes_])
    return order[encoder.transform(labels)]


def class_numbers(clips: pd.DataFrame, task: Task) -> np.ndarray:
    """Class number of every clip, UNLABELLED where it has no label of the task."""
    names = clips[task.column].map(task.merged)
    numbers = np.full(len(clips), UNLABELLED)
    numbers[names.notna()] = encode(names[names.notna()].to_numpy(), task)
    return numbers
