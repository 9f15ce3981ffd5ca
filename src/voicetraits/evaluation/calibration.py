"""Whether a probability means what it says, and what it costs to answer only when sure.

All functions take class numbers, shape (clips,), and probabilities, shape (clips, classes), whose
rows sum to one; of two classes as well. What is called confidence is the largest of a row.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

# Of a probability, so that one sure mistake does not make a logarithm infinite.
_EPSILON = 1e-7
_COOLEST, _HOTTEST = 0.05, 20.0
BINS = 10
# Clips that a bin needs: of fewer, chance alone moves its accuracy by more than a tenth.
_CLIPS_PER_BIN = 15
_POINTS = 40  # of a curve, at most


def fit_temperature(
    labels: np.ndarray, probabilities: np.ndarray, *, voices: int | None = None
) -> float:
    """The temperature under which the log loss is least; above 1, the model was too sure.

    It is fitted on validation clips: on test clips, it would know the answers. Where these are few
    and all recognised, the log loss alone would make a model as good as certain. So the class of a
    clip is given the probability (n + 1) / (n + 2) that n voices can vouch for, in place of 1.

    Args:
        labels: Class numbers.
        probabilities: Of the classes, at least two.
        voices: Speakers of these clips, who stand for n; by default each clip has its own.

    Returns:
        From 0.05 to 20, 4 digits.

    Raises:
        ValueError: If there are no clips.

    Source: Guo et al., On Calibration of Modern Neural Networks, ICML 2017; the targets are those
    of Platt, Probabilistic Outputs for Support Vector Machines, 1999.
    """
    from scipy.optimize import minimize_scalar

    if not len(labels):
        raise ValueError("no clips to fit a temperature on")
    classes = probabilities.shape[1]
    doubt = 1 / ((voices or len(labels)) + 2)
    targets = np.full(probabilities.shape, doubt / (classes - 1))
    targets[np.arange(len(labels)), labels] = 1 - doubt

    def loss(log_temperature: float) -> float:
        scaled = _log_probabilities(probabilities, float(np.exp(log_temperature)))
        return float(-(targets * scaled).sum(axis=1).mean())

    ends = np.log(_COOLEST), np.log(_HOTTEST)
    # By logarithm, in which halving and doubling are as far apart.
    found = minimize_scalar(loss, bounds=ends, method="bounded", options={"xatol": 1e-5})
    return round(float(np.exp(found.x)), 4)


def apply_temperature(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    """The same probabilities, less sure above a temperature of 1; the largest stays the largest."""
    return np.asarray(np.exp(_log_probabilities(probabilities, temperature)))


def _log_probabilities(probabilities: np.ndarray, temperature: float) -> np.ndarray:
    scaled = np.log(np.clip(probabilities, _EPSILON, 1)) / temperature
    scaled = scaled - scaled.max(axis=1, keepdims=True)
    return np.asarray(scaled - np.log(np.exp(scaled).sum(axis=1, keepdims=True)))


class Bin(NamedTuple):
    """Clips of like confidence: mean confidence, share that is right, and how many they are."""

    confidence: float
    accuracy: float
    clips: int


def reliability(labels: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS) -> list[Bin]:
    """Confidence against accuracy, in bins of equally many clips, from the least sure to the most.

    Args:
        labels: Class numbers.
        probabilities: Of the classes.
        bins: At most; so many that each has 15 clips, and at least one.
    """
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == labels
    order = np.argsort(confidence, kind="stable")
    wanted = max(1, min(bins, len(labels) // _CLIPS_PER_BIN))
    return [
        Bin(float(confidence[some].mean()), float(right[some].mean()), len(some))
        for some in np.array_split(order, wanted)
        if len(some)
    ]


def expected_calibration_error(
    labels: np.ndarray, probabilities: np.ndarray, *, bins: int = BINS
) -> float:
    """Mean distance between confidence and accuracy, over the bins of `reliability`; 4 digits.

    Of the top label: it asks of the class that is given alone whether its probability holds. Chance
    makes it positive for a perfect model, too: with n clips a bin, by about 0.4 / sqrt(n).
    """
    found = reliability(labels, probabilities, bins=bins)
    apart = sum(each.clips * abs(each.confidence - each.accuracy) for each in found)
    return round(apart / len(labels), 4)


def reliability_rows(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float]]:
    """The bins of `reliability` as rows of confidence, accuracy and clips, 4 digits."""
    return [
        {
            "confidence": round(each.confidence, 4),
            "accuracy": round(each.accuracy, 4),
            "clips": each.clips,
        }
        for each in reliability(labels, probabilities)
    ]


class Answered(NamedTuple):
    """What follows from answering at a confidence of `threshold` and above.

    Attributes:
        threshold: Ascending within a curve.
        coverage: Share of the clips that are answered.
        risk: Share of those answers that are wrong.
    """

    threshold: np.ndarray
    coverage: np.ndarray
    risk: np.ndarray


def risk_coverage(labels: np.ndarray, probabilities: np.ndarray) -> Answered:
    """Coverage and risk at every confidence that occurs: each of shape (confidences,)."""
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    order = np.argsort(confidence, kind="stable")
    confidence, wrong = confidence[order], wrong[order]
    threshold, first = np.unique(confidence, return_index=True)
    answered = len(labels) - first
    errors = np.cumsum(wrong[::-1])[::-1][first]
    return Answered(threshold, answered / len(labels), errors / answered)


def risk_coverage_rows(labels: np.ndarray, probabilities: np.ndarray) -> list[dict[str, float]]:
    """The curve of `risk_coverage` as rows of threshold, coverage and risk, 4 digits.

    Returns:
        At most 40, evenly spread over the confidences, with both ends.
    """
    curve = risk_coverage(labels, probabilities)
    count = len(curve.threshold)
    chosen = np.unique(np.linspace(0, count - 1, min(count, _POINTS)).round().astype(int))
    return [
        {name: round(float(values[row]), 4) for name, values in curve._asdict().items()}
        for row in chosen
    ]


def threshold_for(labels: np.ndarray, probabilities: np.ndarray, *, risk: float) -> float | None:
    """The lowest confidence from which on answers are wrong no more often than wanted.

    To be set on validation clips: on test clips, it would know the answers.

    Args:
        labels: Class numbers.
        probabilities: Of the classes.
        risk: The largest share of the answers that may be wrong.

    Returns:
        None where no threshold will do.
    """
    curve = risk_coverage(labels, probabilities)
    will_do = curve.threshold[curve.risk <= risk]
    return float(will_do[0]) if len(will_do) else None
