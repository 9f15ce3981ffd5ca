"""The parts of a dataset: training, validation and test, ready for a model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd

from voicetraits.dataset.arrays import Arrays, Chosen
from voicetraits.dataset.scaling import Scaled, Scaler
from voicetraits.params import Protocol
from voicetraits.tasks import Task

TRAINING, VALIDATION, TEST = "training", "validation", "test"
PARTS = (TRAINING, VALIDATION, TEST)


@dataclass(frozen=True)
class Part:
    """Clips of one part, ready for a model.

    Attributes:
        clips: The rows of the split table.
        raw: Unscaled arrays, shape (clips, 68, frames).
        inputs: Scaled arrays, shape (clips, 68, frames, 1).
        labels: Class numbers, shape (clips,), in the order of the task's classes.
    """

    clips: pd.DataFrame
    raw: Arrays
    inputs: Arrays
    labels: np.ndarray


def prepare(
    clips: pd.DataFrame, arrays: Arrays, task: Task, protocol: Protocol
) -> tuple[dict[str, Part], Scaler]:
    """Encode and scale what undersampling has left, as the protocol says.

    Args:
        clips: The chosen rows of the split table, with columns label and part.
        arrays: Shape (clips, 68, frames), in the same order. The parts look into them: nothing is
            copied.
        task: The task.
        protocol: Whether the scaler sees the training part or everything.

    Returns:
        The parts by name, and the fitted scaler.
    """
    numbers = encode(clips["label"].to_numpy(), task)
    places = {name: np.flatnonzero(clips["part"] == name) for name in PARTS}
    of_training = Chosen(arrays, places[TRAINING])
    scaler = Scaler.fit(of_training if protocol.scale == "training" else arrays)
    parts = {}
    for name, here in places.items():
        raw = Chosen(arrays, here)
        rows = clips.iloc[here].reset_index(drop=True)
        parts[name] = Part(rows, raw, Scaled(raw, scaler), numbers[here])
    return parts, scaler


def encode(labels: np.ndarray, task: Task) -> np.ndarray:
    """Class names to class numbers, in the order of the task's classes."""
    from sklearn.preprocessing import LabelEncoder

    encoder = LabelEncoder().fit(sorted(task.classes))
    order = np.array([task.classes.index(name) for name in encoder.classes_])
    return order[encoder.transform(labels)]
