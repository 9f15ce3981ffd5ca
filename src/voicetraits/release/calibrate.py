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
    classes = list(task.classes)
    known = rows[task.column] != OTHER
    labels = class_numbers(rows[known], task)
    before = rows.loc[known, classes].to_numpy()
    temperature = fit_temperature(labels, before)
    rows[classes] = apply_temperature(rows[classes].to_numpy(), temperature)
    after = rows.loc[known, classes].to_numpy()
    errors = [expected_calibration_error(labels, each) for each in (before, after)]
    # Of two classes one always has half of the probability.
    threshold = _threshold(rows[known], task, recipe) if len(classes) > 2 else 0.5
    return Calibrated(task, temperature, threshold, errors[0], errors[1], rows)


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
    given = rows[classes].max(axis=1) >= threshold
    if not given.any():
        return 0.0, 1.0
    return float(given.mean()), float((likely == rows[task.column])[given].mean())
