"""Metrics of one model on one test part."""

from __future__ import annotations

import numpy as np

from voicetraits.tasks import Task

# Of a probability in the log loss, so that one sure mistake does not make it infinite.
_EPSILON = 1e-7


def figures(labels: np.ndarray, probabilities: np.ndarray, task: Task) -> dict[str, float]:
    """Metrics of one model on one test part.

    Args:
        labels: Class numbers, shape (clips,).
        probabilities: Shape (clips, classes); rows sum to one.
        task: The task; gender gives the F1 of its second class and the ROC AUC, language the
            macro F1 and every class's recall.

    Returns:
        Metric name to value, rounded to 4 digits. Loss is the mean cross-entropy in nats.

    Raises:
        ValueError: If a class has no clips: the figures would be those of the others alone.
    """
    if lacking := sorted(set(range(len(task.classes))) - set(labels.tolist())):
        raise ValueError(f"no clips of {', '.join(task.classes[label] for label in lacking)}")
    from sklearn import metrics

    predicted = probabilities.argmax(axis=1)
    classes = np.arange(len(task.classes))
    recall = metrics.recall_score(labels, predicted, labels=classes, average=None, zero_division=0)
    likelihood = np.clip(probabilities[np.arange(len(labels)), labels], _EPSILON, 1)
    found = {
        "loss": -np.log(likelihood).mean(),
        "accuracy": (predicted == labels).mean(),
        "balanced_accuracy": recall.mean(),
    }
    if task.binary:
        found["f1"] = metrics.f1_score(labels, predicted, pos_label=1, zero_division=0)
        found["roc_auc"] = metrics.roc_auc_score(labels, probabilities[:, 1])
    else:
        found["macro_f1"] = metrics.f1_score(
            labels, predicted, labels=classes, average="macro", zero_division=0
        )
        for name, value in zip(task.classes, recall, strict=True):
            found[f"recall_{name}"] = value
    return {name: round(float(value), 4) for name, value in found.items()}


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
