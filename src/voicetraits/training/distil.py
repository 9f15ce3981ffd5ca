"""What an ensemble makes of a batch, as targets for one network that shall stand for it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras


class Teacher:
    """The answers of a trained network, mixed with the labels of the clips.

    Source: Hinton, Vinyals and Dean, arXiv 1503.02531.

    Args:
        network: A trained keras.Model, such as the mean of several.
        share: Of its answers in the targets; the rest are the labels.
    """

    def __init__(self, network: Any, *, share: float) -> None:
        self._network, self._share = network, share

    def targets(
        self,
        inputs: np.ndarray,
        targets: Sequence[np.ndarray],
        weights: Sequence[np.ndarray],
    ) -> tuple[tuple[np.ndarray, ...], tuple[np.ndarray, ...]]:
        """Targets and weights of a batch, by head.

        A clip without a label has the answer alone, and counts as much as others.

        Args:
            inputs: Shape (clips, bands, frames).
            targets: Shape (clips, units), of every head.
            weights: Shape (clips,), of every head; 0 where a clip has no label.
        """
        found = self._network(inputs, training=False)
        answers = [
            keras.ops.convert_to_numpy(x) for x in (found if isinstance(found, list) else [found])
        ]
        mixed = []
        for answer, target, weight in zip(answers, targets, weights, strict=True):
            label = (1 - self._share) * (weight > 0)[:, None]
            mixed.append((label * target + (1 - label) * answer).astype(np.float32))
        return tuple(mixed), tuple(np.ones(len(inputs)) for _ in mixed)
