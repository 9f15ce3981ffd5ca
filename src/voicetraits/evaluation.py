"""Metrics, their uncertainty, and the two baselines every CNN is shown beside."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from voicetraits.arrays import Arrays, chunks
from voicetraits.tasks import Task

# Test speakers of each class that a cell needs for its figures to say something: of fewer, each
# moves the recall by more than ten points.
ENOUGH_SPEAKERS = 10
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


def balanced_accuracy_interval(
    labels: np.ndarray,
    predicted: np.ndarray,
    speakers: np.ndarray,
    task: Task,
    *,
    seed: int,
    draws: int = 2000,
) -> tuple[float, float]:
    """95 % interval of the balanced accuracy, by bootstrap over speakers within each class.

    Clips of one speaker stand or fall together, so the speaker is what is drawn, not the clip.

    Args:
        labels: Class numbers, shape (clips,).
        predicted: Predicted class numbers, shape (clips,).
        speakers: Speaker of each clip, shape (clips,).
        task: The task, for its classes.
        seed: Of the draws.
        draws: Bootstrap samples.

    Returns:
        Lower and upper end, rounded to 4 digits.

    Source: Efron and Tibshirani, An Introduction to the Bootstrap, 1993, chapter 13.
    """
    rng = np.random.default_rng(seed)
    recalls = []
    for label in range(len(task.classes)):
        here = labels == label
        _, speaker = np.unique(speakers[here], return_inverse=True)
        clips = np.bincount(speaker)
        right = np.bincount(speaker, weights=predicted[here] == label)
        drawn = rng.integers(len(clips), size=(draws, len(clips)))
        recalls.append(right[drawn].sum(axis=1) / clips[drawn].sum(axis=1))
    low, high = np.percentile(np.mean(recalls, axis=0), [2.5, 97.5])
    return round(float(low), 4), round(float(high), 4)


def speakers_by_class(labels: np.ndarray, speakers: np.ndarray, task: Task) -> dict[str, int]:
    """Number of speakers with a clip of each class.

    Args:
        labels: Class numbers, shape (clips,).
        speakers: Speaker of each clip, shape (clips,).
        task: The task, for its classes.
    """
    return {
        name: len(np.unique(speakers[labels == number])) for number, name in enumerate(task.classes)
    }


def too_few_speakers(counts: Mapping[str, int], task: Task) -> str:
    """Which class has fewer test speakers than ENOUGH_SPEAKERS; empty where none has.

    Args:
        counts: From `speakers_by_class`.
        task: The task.
    """
    name = min(counts, key=lambda name: counts[name])
    if counts[name] >= ENOUGH_SPEAKERS:
        return ""
    which = f"labelled {name}" if task.binary else f"of {name}"
    return f"{counts[name]} test speakers {which}: too few to tell"


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


def mean_and_deviation(arrays: Arrays) -> np.ndarray:
    """What the linear baseline sees: mean and standard deviation of each row over the frames.

    (clips, 68, frames) -> (clips, 136), float64.
    """
    rows = arrays.shape[1]
    found = np.empty((len(arrays), 2 * rows))
    for places, some in chunks(arrays):
        cells = some.astype(np.float64)
        found[places, :rows], found[places, rows:] = cells.mean(axis=2), cells.std(axis=2)
    return found


def linear_baseline(training: Arrays, labels: np.ndarray, test: Arrays, *, seed: int) -> np.ndarray:
    """Logistic regression on the mean and standard deviation of every row.

    Args:
        training: Unscaled training clips, shape (clips, 68, frames).
        labels: Their class numbers.
        test: Unscaled test clips.
        seed: Of the solver.

    Returns:
        Class probabilities of the test clips, shape (clips, classes).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    # Scaled in place: nobody else looks at what mean_and_deviation returns.
    scaler = StandardScaler(copy=False)
    model = make_pipeline(scaler, LogisticRegression(max_iter=5000, random_state=seed))
    model.fit(mean_and_deviation(training), labels)
    return model.predict_proba(mean_and_deviation(test))


def majority_baseline(labels: np.ndarray, clips: int, *, classes: int) -> np.ndarray:
    """Class shares of the training part for every test clip, before any undersampling.

    Args:
        labels: Class numbers of all training clips.
        clips: Number of test clips.
        classes: Number of classes.

    Returns:
        Shape (clips, classes); the largest class wins everywhere.
    """
    shares = np.bincount(labels, minlength=classes) / len(labels)
    return np.tile(shares, (clips, 1))
