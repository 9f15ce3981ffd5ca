"""The baselines that every network is shown beside."""

from __future__ import annotations

import numpy as np

from voicetraits.dataset.arrays import Arrays, chunks
from voicetraits.dataset.frames import StoredFrames


def mean_and_deviation(arrays: Arrays) -> np.ndarray:
    """What the linear baseline sees: mean and standard deviation of each row over the frames.

    (clips, 68, frames) -> (clips, 136), float64.
    """
    rows = arrays.shape[1]
    found = np.empty((len(arrays), 2 * rows))
    for places, some in chunks(arrays):
        values = some.astype(np.float64)
        found[places, :rows], found[places, rows:] = values.mean(axis=2), values.std(axis=2)
    return found


def mean_and_deviation_of_frames(clips: StoredFrames, places: np.ndarray) -> np.ndarray:
    """The same of clips of any length, (places, 2 x bands)."""
    found = [clips.crop(place, 0, clips.length(place)).astype(np.float64) for place in places]
    return np.array([np.concatenate([clip.mean(axis=0), clip.std(axis=0)]) for clip in found])


def linear_baseline(
    training: np.ndarray, labels: np.ndarray, test: np.ndarray, *, seed: int
) -> np.ndarray:
    """Logistic regression on the mean and standard deviation of every row.

    Args:
        training: What `mean_and_deviation` gave for the training clips.
        labels: Their class numbers.
        test: The same for the test clips.
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
    model.fit(training, labels)
    return model.predict_proba(test)


def pitch_baseline(
    training: np.ndarray, labels: np.ndarray, test: np.ndarray, *, classes: int
) -> np.ndarray:
    """The best threshold on the logarithm of F0, or several for more than two classes.

    Args:
        training: Median F0 of the training clips in Hz, shape (clips,), NaN where nothing is
            voiced. Those have the median of the others.
        labels: Their class numbers.
        test: The same as `training` for the test clips.
        classes: Number of classes.

    Returns:
        Class probabilities of the test clips, shape (clips, classes).
    """
    voiced = training[~np.isnan(training)]
    median = np.median(voiced) if len(voiced) else 1.0  # of whispers alone, nothing can be told
    logarithms = [np.log(np.where(np.isnan(f0), median, f0)) for f0 in (training, test)]
    return one_number_baseline(logarithms[0], labels, logarithms[1], classes=classes)


def one_number_baseline(
    training: np.ndarray, labels: np.ndarray, test: np.ndarray, *, classes: int
) -> np.ndarray:
    """Logistic regression on one number of every clip, all classes weighing the same.

    Args:
        training: That number of the training clips, shape (clips,), finite.
        labels: Their class numbers.
        test: The same for the test clips.
        classes: Number of classes.

    Returns:
        Class probabilities of the test clips, shape (clips, classes).
    """
    from sklearn.linear_model import LogisticRegression
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = make_pipeline(StandardScaler(), LogisticRegression(class_weight="balanced"))
    model.fit(training[:, None], labels)
    found = np.zeros((len(test), classes))
    found[:, model[-1].classes_] = model.predict_proba(test[:, None])
    return found


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
