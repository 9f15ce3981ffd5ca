"""The optimiser of networks on clips of any length."""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.params import Frames
from voicetraits.training.fit import rise_and_fall


def adamw(frames: Frames, *, steps: int) -> Any:
    """AdamW with a rise and a cosine to 0; biases and normalisation do not decay.

    Source: Loshchilov and Hutter, ICLR 2019.

    Args:
        frames: With the learning rate and the decay.
        steps: In all.
    """
    found = keras.optimizers.AdamW(weight_decay=frames.weight_decay)
    rise_and_fall(found, frames.learning_rate, steps=steps, rise=min(frames.warmup, steps // 2))
    found.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    return found
