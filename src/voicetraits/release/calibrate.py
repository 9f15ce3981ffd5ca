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
from voicetraits.evaluation.scores import Score, score
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe
from voicetraits.tasks import Task

# Folders of the networks that are released, and of those that lack some sources. In the latter are,
# by task, the predictions on these sources, as they are and spoilt.
FINAL, TESTED = "final", "tested"
ROWS, WORSE = "rows.parquet", "worse.parquet"


class Calibrated(NamedTuple):
    """A task, how its probabilities are brought down to earth, and when it answers.

    Attributes:
        task: The task.
        temperature: See `fit_temperature`.
        shift: Added to the logit of the first of two classes: where they meet.
        threshold: Of the largest probability, below which the answer is unknown.
        before, after: Expected calibration error.
        rows: Predictions on what was left out, with calibrated probabilities.
        worse: The same of these clips when they are spoilt or cut short, with `condition`.
    """

    task: Task
    temperature: float
    shift: float
    threshold: float
    before: float
    after: float
    rows: pd.DataFrame
    worse: pd.DataFrame


def calibrated(task: Task, recipe: Recipe, work: Path) -> Calibrated:
    """Fit temperature and threshold on the predictions on what was left out."""
    rows, worse = (pd.read_parquet(work / TESTED / task.name / name) for name in (ROWS, WORSE))
    classes = list(task.classes)
    known = rows[task.column] != FOREIGN
    labels = class_numbers(rows[known], task)
    before = rows.loc[known, classes].to_numpy()
    # Of two classes one always has half of the probability; what matters is where they meet.
    two = len(classes) == 2
    temperature, shift = _line(labels, before) if two else (fit_temperature(labels, before), 0.0)
    for table in (rows, worse):
        table[classes] = _shifted(apply_temperature(table[classes].to_numpy(), temperature), shift)
    after = rows.loc[known, classes].to_numpy()
    errors = [expected_calibration_error(labels, each) for each in (before, after)]
    threshold = 0.5 if two else _threshold(rows[known], task, recipe)
    return Calibrated(task, temperature, shift, threshold, errors[0], errors[1], rows, worse)


def _line(labels: np.ndarray, probabilities: np.ndarray) -> tuple[float, float]:
    """Temperature and shift of two classes that give the least log loss, both weighing alike.

    Source: Platt, Advances in Large Margin Classifiers, 1999.
    """
    from sklearn.linear_model import LogisticRegression

    logs = np.log(np.clip(probabilities, 1e-7, 1))
    logit = (logs[:, 0] - logs[:, 1])[:, None]
    model = LogisticRegression(class_weight="balanced", C=1e6).fit(logit, labels == 0)
    return round(1 / float(model.coef_[0, 0]), 4), round(float(model.intercept_[0]), 4)


def _shifted(probabilities: np.ndarray, shift: float) -> np.ndarray:
    """Probabilities with a number added to the logit of the first class."""
    moved = probabilities * np.exp([shift] + [0.0] * (probabilities.shape[1] - 1))
    return moved / moved.sum(axis=1, keepdims=True)


def _threshold(rows: pd.DataFrame, task: Task, recipe: Recipe) -> float:
    """The lowest at which answers are right as often as wanted, but none that leaves too few."""
    chosen = 0.3
    for threshold in np.arange(0.3, 0.9, 0.01):
        answered, right = answers(rows, task, threshold)
        if answered < 1 - recipe.most_unknown:
            break
        chosen = round(float(threshold), 2)
        if right >= recipe.wanted_right:
            break
    return chosen


def scored(rows: pd.DataFrame, task: Task) -> Score:
    """Balanced accuracy of clips that all have a label of the task, and its interval by speaker."""
    predicted = rows[list(task.classes)].to_numpy().argmax(axis=1)
    speakers = rows["speaker"].to_numpy()
    return score(class_numbers(rows, task), predicted, speakers, task, seed=0)


def answers(rows: pd.DataFrame, task: Task, threshold: float) -> tuple[float, float]:
    """Share of the clips that get an answer, and share of those answers that is right."""
    classes = list(task.classes)
    likely = rows[classes].idxmax(axis=1)
    given = rows[classes].max(axis=1) >= threshold
    if not given.any():
        return 0.0, 1.0
    return float(given.mean()), float((likely == rows[task.column])[given].mean())
