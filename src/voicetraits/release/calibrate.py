"""What the networks that lack some sources say of the released one: temperature and threshold."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import class_numbers
from voicetraits.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
)
from voicetraits.release.clips import OTHER
from voicetraits.release.recipe import Recipe
from voicetraits.tasks import Task


class Calibrated(NamedTuple):
    """A task, how its probabilities are brought down to earth, and when it answers.

    Attributes:
        task: The task.
        temperature: See `fit_temperature`.
        threshold: Of the largest probability, below which the answer is unknown.
        rows: Predictions on what was left out, with `round` and calibrated probabilities.
    """

    task: Task
    temperature: float
    threshold: float
    before: float
    after: float
    rows: pd.DataFrame


def calibrated(task: Task, recipe: Recipe, work: Path) -> Calibrated:
    """Fit temperature and threshold on the predictions of all rounds."""
    rows = pd.concat(
        [
            pd.read_parquet(work / f"round-{number}" / f"{task.name}.parquet").assign(round=number)
            for number in range(1, len(recipe.left_out) + 1)
        ],
        ignore_index=True,
    )
    labels, classes = class_numbers(rows, task), list(task.classes)
    probabilities = rows[classes].to_numpy()
    temperature = fit_temperature(labels, probabilities)
    cooled = apply_temperature(probabilities, temperature)
    before, after = (expected_calibration_error(labels, each) for each in (probabilities, cooled))
    rows[classes] = cooled
    threshold = 0.5
    if OTHER in classes:
        known = rows[rows[task.column] != OTHER]
        threshold = _threshold(known, task, recipe)
    return Calibrated(task, temperature, threshold, before, after, rows)


def _threshold(rows: pd.DataFrame, task: Task, recipe: Recipe) -> float:
    """The lowest at which answers are right as often as wanted, or, before it, as many are left."""
    for threshold in np.arange(0.3, 0.9, 0.01):
        answered, right = answers(rows, task, threshold)
        if right >= recipe.wanted_right or answered < 1 - recipe.most_unknown:
            break
    return round(float(threshold), 2)


def answers(rows: pd.DataFrame, task: Task, threshold: float) -> tuple[float, float]:
    """Share of the clips that get an answer, and share of those answers that is right."""
    classes = list(task.classes)
    likely = rows[classes].idxmax(axis=1)
    given = (likely != OTHER) & (rows[classes].max(axis=1) >= threshold)
    if not given.any():
        return 0.0, 1.0
    return float(given.mean()), float((likely == rows[task.column])[given].mean())
