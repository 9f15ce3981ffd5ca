"""Crops of clips of any length: one at random to train with, several to predict with."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np

from voicetraits.params import Crops


class Clips(Protocol):
    """Log-mel of clips of any length, read by place."""

    def length(self, clip: int) -> int:
        """Frames of a clip, at least 1."""

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        """Frames from `start` on, shape (length, bands); a clip that is too short is repeated."""


def random_crops(
    clips: Clips, places: Sequence[int] | np.ndarray, *, frames: int, rng: np.random.Generator
) -> np.ndarray:
    """One crop of each clip, at a random start.

    Args:
        clips: The clips.
        places: Which of them, at least one.
        frames: Length of a crop.
        rng: Random numbers.

    Returns:
        Shape (places, bands, frames), float32, as networks take it.
    """
    lasts = [max(clips.length(place) - frames, 0) for place in places]
    starts = rng.integers(lasts, endpoint=True)
    return _crops(clips, places, starts, frames)


class SpreadCrops:
    """Evenly spread crops of all clips, clip after clip: what `predict` takes for its inputs.

    Args:
        clips: The clips.
        places: Which of them, at least one.
        frames: Length of a crop.
        crops: How many a clip has, at most; one that is no longer than a crop has one.
    """

    def __init__(
        self, clips: Clips, places: Sequence[int] | np.ndarray, *, frames: int, crops: int
    ) -> None:
        self._clips, self._frames = clips, frames
        starts = [
            spread_starts(clips.length(place), frames=frames, crops=crops) for place in places
        ]
        self._counts = np.array([len(some) for some in starts])
        self._places, self._starts = np.repeat(places, self._counts), np.concatenate(starts)
        self.shape = (len(self), *self[:1].shape[1:])

    def __len__(self) -> int:
        """Number of crops."""
        return len(self._starts)

    def __getitem__(self, numbers: np.ndarray | slice) -> np.ndarray:
        """Crops by number, shape (numbers, bands, frames), float32."""
        return _crops(self._clips, self._places[numbers], self._starts[numbers], self._frames)

    def mean_by_clip(self, probabilities: np.ndarray) -> np.ndarray:
        """Mean of the crops' probabilities, shape (crops, classes) -> (places, classes)."""
        firsts = np.cumsum(self._counts) - self._counts
        return np.add.reduceat(probabilities, firsts) / self._counts[:, None]


def predict_clips(
    network: Any,
    clips: Clips,
    places: Sequence[int] | np.ndarray,
    shown: Crops,
    *,
    batch_size: int,
) -> list[np.ndarray]:
    """Probabilities of clips of any length, the mean over their spread crops.

    Args:
        network: A keras.Model on crops.
        clips: The clips.
        places: Which of them, at least one.
        shown: Which crops.
        batch_size: How many at a time.

    Returns:
        Of every head, shape (places, classes), float64.
    """
    from voicetraits.training.fit import predict_heads  # loads Keras

    places = np.asarray(places)
    lengths = np.array([shown.length(clips.length(place)) for place in places])
    found = []
    for length in np.unique(lengths):
        crops = SpreadCrops(clips, places[lengths == length], frames=length, crops=shown.most)
        heads = predict_heads(network, crops, batch_size=batch_size)
        found.append([crops.mean_by_clip(of_head) for of_head in heads])
    back = np.argsort(np.argsort(lengths, kind="stable"))
    return [np.concatenate(of_head)[back] for of_head in zip(*found, strict=True)]


def spread_starts(length: int, *, frames: int, crops: int) -> np.ndarray:
    """Starts of evenly spread crops: the first at the beginning, the last at the end of the clip.

    Args:
        length: Frames of the clip.
        frames: Length of a crop.
        crops: How many, at most: none is there twice. A single one lies in the middle.

    Returns:
        Ascending, at least one.
    """
    last = max(length - frames, 0)
    if crops == 1:
        return np.array([last // 2])
    return np.unique(np.linspace(0, last, crops).round().astype(int))


def _crops(
    clips: Clips, places: Sequence[int] | np.ndarray, starts: np.ndarray, frames: int
) -> np.ndarray:
    found = [
        clips.crop(int(place), int(start), frames).T
        for place, start in zip(places, starts, strict=True)
    ]
    return np.stack(found).astype(np.float32)
