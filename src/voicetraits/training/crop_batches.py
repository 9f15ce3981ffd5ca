"""Training batches of random crops, drawn by class and group, and mixed."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras
from voicetraits.training.crops import Clips, random_crops
from voicetraits.training.distil import Teacher
from voicetraits.training.mixup import mix
from voicetraits.training.sampling import draw


class CropBatches(keras.utils.PyDataset):
    """Full batches of one random crop per clip; every pass draws its clips anew.

    A batch depends on the seed, the pass and its number alone, however often it is asked for.

    Args:
        clips: The clips, which may be more than those to train on.
        places: The clips to train on.
        labels: Their class numbers.
        groups: Their groups; see `draw`.
        targets: Their targets, shape (places, units), of every head.
        weights: Shape (places,), of every head: 0 where a clip has no label for it.
        frames: Length of a crop.
        batch_size: Clips in a batch.
        steps: Batches of a pass, at least; there are more where the clips fill more.
        mixup: See `mix`; 0 is off.
        teacher: What makes the targets anew, if there is one.
        seed: Of all draws.
    """

    def __init__(
        self,
        clips: Clips,
        places: np.ndarray,
        *,
        labels: np.ndarray,
        groups: Sequence[Hashable],
        targets: Sequence[np.ndarray],
        weights: Sequence[np.ndarray],
        frames: int,
        batch_size: int,
        steps: int = 1,
        mixup: float = 0,
        teacher: Teacher | None = None,
        seed: int,
    ) -> None:
        super().__init__()
        self._clips, self._places = clips, places
        self._targets, self._weights, self._teacher = targets, weights, teacher
        self._labels, self._groups = labels, groups
        self._frames, self._batch, self._mixup = frames, batch_size, mixup
        self._steps = max(steps, len(places) // batch_size)
        self._seed, self._pass = seed, 0
        self._draw()

    def __len__(self) -> int:
        """Batches in a pass."""
        return self._steps

    def __getitem__(self, number: int) -> tuple[Any, ...]:
        """Inputs, (clips, bands, frames), then targets and weights of one batch, by head."""
        rng = np.random.default_rng([self._seed, self._pass, number])
        drawn = self._drawn[number * self._batch : (number + 1) * self._batch]
        crops = random_crops(self._clips, self._places[drawn], frames=self._frames, rng=rng)
        labels = [
            (targets[drawn], weights[drawn])
            for targets, weights in zip(self._targets, self._weights, strict=True)
        ]
        inputs, targets, weights = mix(crops, labels, alpha=self._mixup, rng=rng)
        if self._teacher:
            targets, weights = self._teacher.targets(inputs, targets, weights)
        return inputs, targets, weights

    def on_epoch_end(self) -> None:
        """Draw the clips of the next pass."""
        self._pass += 1
        self._draw()

    def _draw(self) -> None:
        rng = np.random.default_rng([self._seed, self._pass])
        clips = self._steps * self._batch
        self._drawn = draw(self._labels, self._groups, clips=clips, rng=rng)
