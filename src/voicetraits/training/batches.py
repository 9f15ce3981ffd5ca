"""Batches of clips, full ones only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax

from voicetraits.dataset.arrays import Arrays
from voicetraits.errors import InputError


class Batches(keras.utils.PyDataset):
    """Full batches only, because JAX compiles again for every new batch size.

    Shuffled: each epoch draws a new order and leaves out the few clips that do not fill the last
    batch; a set too small for `steps` batches is passed again, each time in a new order. Not
    shuffled: one pass, and the last batch is filled up with clips of weight zero.

    Args:
        inputs: The clips, read batch by batch.
        targets: Of every clip, in the same order; of several heads, one after the other.
        weights: Of every clip; likewise.
        batch_size: Clips in a batch; a smaller set that is shuffled has smaller batches.
        steps: Batches of an epoch, at least, where shuffled.
        shuffle_seed: Of the orders; none leaves the clips in theirs.
        devices: What the number of clips in a batch is a multiple of.
    """

    def __init__(
        self,
        inputs: Arrays,
        targets: np.ndarray | tuple[np.ndarray, ...],
        weights: np.ndarray | tuple[np.ndarray, ...],
        *,
        batch_size: int,
        steps: int = 1,
        shuffle_seed: int | None = None,
        devices: int = 1,
    ) -> None:
        super().__init__()
        self._inputs, self._targets, self._weights = inputs, targets, weights
        self._batch = batch_size
        if shuffle_seed is not None:
            whole = min(batch_size, len(inputs)) // devices * devices
            self._batch = max(whole, devices)
        self._steps = steps
        self._rng = None if shuffle_seed is None else np.random.default_rng(shuffle_seed)
        self.on_epoch_end()
        if shuffle_seed is None:
            # Keras divides a loss by all places of its batches, those of weight zero included.
            places = len(self) * batch_size
            self._weights = _of_heads(lambda each: each * (places / len(inputs)), weights)

    def on_epoch_end(self) -> None:
        """Draw the order of the next epoch."""
        clips = len(self._inputs)
        if self._rng is not None:
            places = max(self._steps, clips // self._batch) * self._batch
            passes = [self._rng.permutation(clips) for _ in range(-(-places // clips))]
            self._order = np.concatenate(passes)[:places]
        else:
            self._order = np.arange(clips)

    def __len__(self) -> int:
        """Batches in an epoch."""
        return -(-len(self._order) // self._batch)

    def __getitem__(self, number: int) -> tuple[Any, Any, Any]:
        """Inputs, targets and weights of one batch."""
        chosen = self._order[number * self._batch : (number + 1) * self._batch]
        # What fills the last batch weighs nothing.
        filled = np.resize(chosen, self._batch)
        filled[len(chosen) :] = chosen[0]
        there = np.arange(self._batch) < len(chosen)
        return (
            self._inputs[filled],
            _of_heads(lambda each: each[filled], self._targets),
            _of_heads(lambda each: each[filled] * there, self._weights),
        )


def _of_heads(
    change: Callable[[np.ndarray], np.ndarray], values: np.ndarray | tuple[np.ndarray, ...]
) -> Any:
    """Change the values of the one head, or of each of several."""
    return tuple(map(change, values)) if isinstance(values, tuple) else change(values)


def devices_for(batch_size: int) -> int:
    """Number of devices (GPUs, or the one CPU) that every batch is shared by.

    Raises:
        InputError: If they cannot have equal shares.
    """
    devices = jax.device_count()
    if batch_size % devices:
        raise InputError(
            f"train.batch_size = {batch_size} cannot be shared equally by the {devices} devices "
            f"that JAX finds: set it to a multiple of {devices}"
        )
    return devices
