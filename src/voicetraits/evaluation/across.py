"""Models of one language on voices of another."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, NamedTuple

import numpy as np

from voicetraits.evaluation.scores import score
from voicetraits.tasks import Task


class LocaleClips(NamedTuple):
    """The test clips of one locale.

    Attributes:
        labels: Class numbers, shape (clips,).
        speakers: Shape (clips,).
        inputs: Whatever the models take, that can be chosen from by a mask: shape (clips, ...).
    """

    labels: np.ndarray
    speakers: np.ndarray
    inputs: np.ndarray


class LocaleModel(NamedTuple):
    """A model of one locale.

    Attributes:
        predict: From inputs of `LocaleClips` to probabilities, shape (clips, classes).
        trained_on: Speakers of its training and validation parts.
    """

    predict: Callable[[np.ndarray], np.ndarray]
    trained_on: Collection[str]


def across_records(
    models: Mapping[str, LocaleModel], clips: Mapping[str, LocaleClips], task: Task, *, seed: int
) -> list[dict[str, Any]]:
    """Balanced accuracy of the model of every locale on the test clips of every locale.

    Clips of a speaker whom the model has trained on are left out: some speak two languages.

    Args:
        models: By locale.
        clips: By locale.
        task: The task, for its classes.
        seed: Draws the speakers of the intervals.

    Returns:
        Rows of trained_on, tested_on, and the fields of `Score`; none where no clips are left.
    """
    records = []
    for trained_on, model in models.items():
        for tested_on, (labels, speakers, inputs) in clips.items():
            apart = ~np.isin(speakers, sorted(model.trained_on))
            if not apart.any():
                continue
            predicted = model.predict(inputs[apart]).argmax(axis=1)
            found = score(labels[apart], predicted, speakers[apart], task, seed=seed)
            records.append({"trained_on": trained_on, "tested_on": tested_on, **found._asdict()})
    return records
