"""The original CNN: four blocks of 3x3 convolutions."""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras
from voicetraits.networks.convolution import Conv3x3
from voicetraits.networks.dense import SteadyDense
from voicetraits.networks.layers import GlorotUniform, HalvingPool, MinMaxScaling, output
from voicetraits.tasks import Head

FILTERS = (16, 32, 64, 128)
# Units of the dense layers before an output.
DENSE_FOR_TWO_CLASSES = (64,)
DENSE_FOR_MORE = (128, 32)


def build(shape: tuple[int | None, ...], heads: tuple[Head, ...], *, seed: int) -> Any:
    """Build the CNN, with fresh weights.

    Four blocks of 3x3 convolution, batch normalisation and 2x2 max pooling, then dense layers for
    every head. Two classes end in one sigmoid output, the probability of the second; more in a
    softmax.

    Args:
        shape: (rows, frames) of a clip's representation.
        heads: The outputs.
        seed: Of the weights.

    Returns:
        A keras.Model, not compiled.
    """
    kernels = GlorotUniform(seed)
    inputs = keras.Input(shape)
    x = MinMaxScaling()(inputs)
    for filters in FILTERS:
        x = Conv3x3(filters, activation="relu", kernel_initializer=kernels)(x)
        # The default momentum of 0.99 needs hundreds of steps before the moving averages are of
        # any use; a small training set has a dozen an epoch, and the model would be judged,
        # stopped and kept on averages that are still near their start.
        x = keras.layers.BatchNormalization(momentum=0.9)(x)
        x = HalvingPool()(x)
    x = keras.layers.Flatten()(x)
    outputs = [_head(x, head, kernels) for head in heads]
    return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])


def _head(x: Any, head: Head, kernels: Any) -> Any:
    for units in DENSE_FOR_TWO_CLASSES if head.classes == 2 else DENSE_FOR_MORE:
        x = SteadyDense(units, activation="relu", kernel_initializer=kernels)(x)
    return output(x, head, kernels)
