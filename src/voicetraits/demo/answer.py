"""What the page shows of a recording, as JSON has it."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from voicetraits.recognizer.decision import Recognition
from voicetraits.recognizer.recognizer import Recognizer
from voicetraits.recognizer.recording import recording_of

LONGEST = 600.0  # seconds
_COLUMNS = 800  # of the waveform; more than a screen shows side by side


def answer(recognizer: Recognizer, content: bytes) -> dict[str, Any]:
    """Recognise a recording as a whole and piece by piece.

    Args:
        recognizer: It gives the answers.
        content: The bytes of an audio file.

    Returns:
        `whole` and each of `segments` as `_said` has them; `speech` as pairs of seconds;
        `waveform` as `loudest` gives it; `seconds`, None where a silent file does not say them.

    Raises:
        InputError: If it cannot be read, or is longer than 10 minutes.
    """
    heard = recording_of(content, longest=LONGEST)
    whole = recognizer.predict(heard)
    return {
        "seconds": None if math.isnan(heard.seconds) else heard.seconds,
        "speech_seconds": whole.speech_seconds,
        "speech": whole.speech,
        "waveform": loudest(heard.samples),
        "whole": _said(whole),
        "segments": [_said(piece) for piece in recognizer.segments(heard) if piece.speech],
    }


def loudest(samples: np.ndarray) -> list[float]:
    """The largest absolute sample of each of 800 equal stretches, or of fewer where it is short.

    Args:
        samples: Shape (n,).
    """
    columns = min(_COLUMNS, len(samples))
    if not columns:
        return []
    starts = np.arange(columns) * len(samples) // columns
    return [round(peak, 4) for peak in np.maximum.reduceat(np.abs(samples), starts).tolist()]


def _said(found: Recognition) -> dict[str, Any]:
    return {
        "start": found.start,
        "end": None if math.isnan(found.end) else found.end,
        "language": found.language,
        "language_probabilities": dict(found.language_probabilities),
        "gender": found.gender,
        "female_probability": found.female_probability,
    }
