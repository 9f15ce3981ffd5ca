"""Several networks as one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from voicetraits.networks.backend import keras


def mean_of(members: Sequence[Any]) -> Any:
    """One network that gives the mean of the outputs of several.

    Args:
        members: keras.Model, all of one shape and with the same heads.

    Returns:
        A keras.Model with the same inputs and outputs as each of them.
    """
    inputs = keras.Input(members[0].input_shape[1:])
    outputs = [member(inputs) for member in members]
    if not isinstance(outputs[0], list):
        return keras.Model(inputs, keras.layers.Average()(outputs))
    heads = zip(*outputs, strict=True)
    return keras.Model(inputs, [keras.layers.Average()(head) for head in heads])
