"""What a recording is taken for, and why it is not where it is not."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

import numpy as np

from voicetraits.errors import InputError
from voicetraits.recognizer.model import Head

UNKNOWN = "unknown"
NO_SPEECH = "no speech"
OTHER = "other"  # the class of all that a model was not trained to tell apart


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One head's answer.

    Attributes:
        value: A class, or "unknown".
        probabilities: By class; empty where the model was not asked.
        reason: Why the value is unknown, else empty.
    """

    value: str = UNKNOWN
    probabilities: Mapping[str, float] = field(default_factory=dict)
    reason: str = ""

    @property
    def probability(self) -> float | None:
        """Of the most likely class."""
        return max(self.probabilities.values(), default=None)


@dataclass(frozen=True, kw_only=True)
class Recognition:
    """What was recognised in a recording, or in a part of it.

    Attributes:
        start: Of the part in seconds; 0 for a whole recording.
        end: Of the part in seconds.
        speech_seconds: How long somebody speaks in it.
        speech: Where in the recording that is: (start, end) in seconds, with a margin.
        language: A locale, or "unknown".
        language_probability: Of the most likely language; none where there is no speech.
        language_probabilities: By locale.
        gender: "female", "male" or "unknown", as speakers label their own voice.
        female_probability: None where there is no speech.
        reason: Why something is unknown, else none.
    """

    start: float
    end: float
    speech_seconds: float
    speech: tuple[tuple[float, float], ...]
    language: str
    language_probability: float | None
    language_probabilities: Mapping[str, float]
    gender: str
    female_probability: float | None
    reason: str | None

    @property
    def seconds(self) -> float:
        """Length of the recording, or of the part."""
        return self.end - self.start


def recognition(
    language: Answer,
    gender: Answer,
    *,
    start: float,
    end: float,
    speech_seconds: float,
    speech: tuple[tuple[float, float], ...],
) -> Recognition:
    """Both answers as one; see Recognition."""
    reasons = dict.fromkeys(answer.reason for answer in (language, gender) if answer.reason)
    return Recognition(
        start=start,
        end=end,
        speech_seconds=speech_seconds,
        speech=speech,
        language=language.value,
        language_probability=language.probability,
        language_probabilities=language.probabilities,
        gender=gender.value,
        female_probability=gender.probabilities.get("female"),
        reason="; ".join(reasons) or None,
    )


def decide(task: str, head: Head, probabilities: np.ndarray) -> Answer:
    """Take the most likely class, if it is likely enough.

    Args:
        task: For the reason.
        head: Classes and threshold.
        probabilities: Shape (classes,).
    """
    by_class = dict(zip(head.classes, probabilities.tolist(), strict=True))
    best = max(by_class, key=by_class.__getitem__)
    if best == OTHER:
        return Answer(probabilities=by_class, reason=f"{task}: none of those known")
    if by_class[best] < head.threshold:
        found = f"{by_class[best]:.2f}"
        if float(found) >= head.threshold:  # which rounding would hide
            found = f"{math.floor(1000 * by_class[best]) / 1000:.3f}"
        reason = f"{task}: {best} at {found}, below {head.threshold:g}"
        return Answer(probabilities=by_class, reason=reason)
    return Answer(value=best, probabilities=by_class)


def restricted(head: Head, wanted: Collection[str]) -> Head:
    """The head with some of its classes alone, in its order.

    Raises:
        InputError: If it lacks one.
    """
    if missing := sorted(set(wanted) - set(head.classes)):
        raise InputError(
            f"locale {', '.join(name or repr(name) for name in missing)}: not in the model, which "
            f"knows {', '.join(head.classes)}"
        )
    return head._replace(classes=tuple(name for name in head.classes if name in wanted))


def renormalised(probabilities: np.ndarray, *, of: Head, to: Head) -> np.ndarray:
    """Probabilities of some of the classes alone, which sum to one again.

    Args:
        probabilities: Shape (classes of the one head,).
        of: That head.
        to: The same with some of its classes.

    Returns:
        Shape (classes of the other,); all the same where none of these is possible.
    """
    kept = probabilities[[of.classes.index(name) for name in to.classes]]
    total = kept.sum()
    return kept / total if total > 0 else np.full(len(kept), 1 / len(kept))
