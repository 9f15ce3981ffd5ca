"""Metrics of one model on one test part."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from voicetraits.tasks import Task

# Of a probability in the log loss, so that one sure mistake does not make it infinite.
_EPSILON = 1e-7


class Figure(NamedTuple):
    """One metric of one model.

    Attributes:
        metric: Its name.
        of_class: The class it is of; "" where of all.
        value: Rounded to 4 digits.
    """

    metric: str
    of_class: str
    value: float


def figures(labels: np.ndarray, probabilities: np.ndarray, task: Task) -> list[Figure]:
    """Metrics of one model on one test part.

    Args:
        labels: Class numbers, shape (clips,).
        probabilities: Shape (clips, classes); rows sum to one.
        task: The task, for its classes and its own metrics.

    Returns:
        Loss (the mean cross-entropy in nats), accuracy, balanced accuracy, then those of the task.

    Raises:
        ValueError: If a class has no clips: the figures would be those of the others alone.
    """
    if lacking := sorted(set(range(len(task.classes))) - set(labels.tolist())):
        raise ValueError(f"no clips of {', '.join(task.classes[label] for label in lacking)}")
    likelihood = np.clip(probabilities[np.arange(len(labels)), labels], _EPSILON, 1)
    rows = [
        ("loss", "", -np.log(likelihood).mean()),
        ("accuracy", "", (probabilities.argmax(axis=1) == labels).mean()),
        ("balanced_accuracy", "", _recalls(labels, probabilities).mean()),
    ]
    for metric in task.metrics:
        value = METRICS[metric](labels, probabilities)
        per_class = zip(task.classes, value, strict=True) if np.ndim(value) else [("", value)]
        rows += [(metric, name, one) for name, one in per_class]
    return [Figure(metric, name, round(float(value), 4)) for metric, name, value in rows]


def _recalls(labels: np.ndarray, probabilities: np.ndarray) -> np.ndarray:
    from sklearn.metrics import recall_score

    predicted, classes = probabilities.argmax(axis=1), np.arange(probabilities.shape[1])
    found = recall_score(labels, predicted, labels=classes, average=None, zero_division=0)
    assert isinstance(found, np.ndarray)
    return found


def _f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    return float(f1_score(labels, probabilities.argmax(axis=1), pos_label=1, zero_division=0))


def _macro_f1(labels: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import f1_score

    predicted, classes = probabilities.argmax(axis=1), np.arange(probabilities.shape[1])
    found = f1_score(labels, predicted, labels=classes, average="macro", zero_division=0)
    return float(found)


def _roc_auc(labels: np.ndarray, probabilities: np.ndarray) -> float:
    from sklearn.metrics import roc_auc_score

    return float(roc_auc_score(labels, probabilities[:, 1]))


# Metrics that a task may have of its own, from class numbers and probabilities: one value, or one
# per class.
METRICS: dict[str, Callable[[np.ndarray, np.ndarray], Any]] = {
    "f1": _f1,
    "macro_f1": _macro_f1,
    "recall": _recalls,
    "roc_auc": _roc_auc,
}
# Those of the second of two classes.
FOR_TWO_CLASSES = ("f1", "roc_auc")


def confusion(labels: np.ndarray, predicted: np.ndarray, task: Task) -> list[dict[str, object]]:
    """Confusion matrix in long form: one row per actual and predicted class."""
    rows: list[dict[str, object]] = []
    for number, actual in enumerate(task.classes):
        here = labels == number
        for other, name in enumerate(task.classes):
            clips = int((here & (predicted == other)).sum())
            share = round(clips / max(1, int(here.sum())), 4)
            rows.append({"actual": actual, "predicted": name, "clips": clips, "share": share})
    return rows


def roc_points(labels: np.ndarray, score: np.ndarray) -> list[dict[str, float]]:
    """Corners of the ROC curve of the second class, as rows of fpr and tpr, 4 digits."""
    from sklearn.metrics import roc_curve

    fpr, tpr, _ = roc_curve(labels, score)
    return [
        {"fpr": round(float(x), 4), "tpr": round(float(y), 4)}
        for x, y in zip(fpr, tpr, strict=True)
    ]


def collapsed(probabilities: np.ndarray) -> bool:
    """Whether a model gives one class for everything."""
    return len(np.unique(probabilities.argmax(axis=1))) < 2
