"""The optimiser of networks on clips of any length."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.params import Frames
from voicetraits.training.fit import rise_and_fall


def adamw(frames: Frames, *, steps: int, knowing: Sequence[Any] = ()) -> Any:
    """AdamW with a rise and a cosine to 0; biases and normalisation do not decay.

    Source: Loshchilov and Hutter, ICLR 2019.

    Args:
        frames: With the learning rate, and the share of it (`after_phones`) for some weights.
        steps: In all.
        knowing: The weights that it is for: what they know should not be lost.
    """
    rise = min(frames.warmup, steps // 2)
    rate = rise_and_fall(frames.learning_rate, steps=steps, rise=rise)
    found = _UnequalAdamW(rate, weight_decay=frames.weight_decay)
    found.shares = {weights.path: frames.after_phones for weights in knowing}
    found.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return found


class _UnequalAdamW(keras.optimizers.AdamW):
    """AdamW that takes shorter steps with some weights.

    Attributes:
        shares: Of the learning rate, by the weights' path, where it is not 1.
    """

    shares: Mapping[str, float] = MappingProxyType({})

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Change one array of weights."""
        rate = learning_rate * self.shares.get(variable.path, 1.0)
        super().update_step(gradient, variable, rate)
