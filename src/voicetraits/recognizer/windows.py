"""Speech in pieces that a model takes: without the pauses, and none too long."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np

from voicetraits.export.contract import SAMPLE_RATE
from voicetraits.recognizer.speech import Part

LONGEST = 12.0  # seconds of speech in one window
LONG_PAUSE = 1.0  # seconds; from here on, a timeline has a new line


class Window(NamedTuple):
    """One piece of speech.

    Attributes:
        start: Where in the recording it begins, in samples.
        end: Where it ends; what lies between is longer than `samples` by its pauses.
        samples: Its speech alone, shape (n,).
    """

    start: int
    end: int
    samples: np.ndarray


def windows(samples: np.ndarray, parts: Sequence[Part]) -> Iterator[Window]:
    """Cut speech into windows of one length, 12 s at most.

    Equal windows, so that no short rest, which a model judges badly, is left at the end.

    Args:
        samples: The recording, shape (n,).
        parts: Its speech, not empty, in order.
    """
    speech = sum(part.end - part.start for part in parts)
    count = -(-speech // round(LONGEST * SAMPLE_RATE))
    length = -(-speech // count)
    pieces: list[Part] = []
    missing = length
    for part in parts:
        start = part.start
        while start < part.end:
            piece = Part(start, min(part.end, start + missing))
            pieces.append(piece)
            start, missing = piece.end, missing - (piece.end - piece.start)
            if not missing:
                yield _window(samples, pieces)
                pieces, missing = [], length
    if pieces:
        yield _window(samples, pieces)


def stretches(parts: Sequence[Part]) -> list[list[Part]]:
    """Parts in groups, between which nobody speaks for a second or longer."""
    groups: list[list[Part]] = []
    for part in parts:
        if groups and part.start - groups[-1][-1].end < LONG_PAUSE * SAMPLE_RATE:
            groups[-1].append(part)
        else:
            groups.append([part])
    return groups


def _window(samples: np.ndarray, pieces: Sequence[Part]) -> Window:
    speech = np.concatenate([samples[piece.start : piece.end] for piece in pieces])
    return Window(pieces[0].start, pieces[-1].end, speech)
