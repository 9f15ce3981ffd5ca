"""What networks are built of: scaling, pooling, outputs, and how kernels begin."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from voicetraits.networks.backend import keras
from voicetraits.networks.dense import SteadyDense
from voicetraits.tasks import Head


class MinMaxScaling(keras.layers.Layer):
    """Every value of a clip brought to [0, 1] by its own minimum and scale.

    (clips, rows, frames) -> (clips, rows, frames, 1). The difference comes first: a product and a
    sum would be one step on some processors, with other last bits.
    """

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights, not trained: `set_weights([low, scale])`, shape (rows, frames) each."""
        self.low, self.scale = (
            self.add_weight(shape=input_shape[1:], initializer=start, trainable=False)
            for start in ("zeros", "ones")
        )

    def call(self, inputs: Any) -> Any:
        """Scale."""
        low, scale = map(keras.ops.convert_to_tensor, (self.low, self.scale))
        return ((inputs - low) * scale)[..., None]

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of an image with one channel."""
        return (*input_shape, 1)


class HalvingPool(keras.layers.Layer):
    """2x2 max pooling by slicing: MaxPooling2D's values at half the cost of its gradient on JAX.

    (clips, rows, columns, channels) -> (clips, rows // 2, columns // 2, channels).
    """

    def call(self, inputs: Any) -> Any:
        """Take the larger of neighbouring rows, then of neighbouring columns."""
        rows, columns = inputs.shape[1] // 2 * 2, inputs.shape[2] // 2 * 2
        halved = keras.ops.maximum(inputs[:, 0:rows:2], inputs[:, 1:rows:2])
        return keras.ops.maximum(halved[:, :, 0:columns:2], halved[:, :, 1:columns:2])

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """Half the rows and columns, rounded down."""
        clips, rows, columns, channels = input_shape
        assert rows is not None and columns is not None
        return clips, rows // 2, columns // 2, channels


class GlorotUniform(keras.initializers.Initializer):
    """Keras's default for kernels, drawn by NumPy.

    JAX would compile a program of its own for every shape of kernel: seconds in every process.

    Source: Glorot and Bengio, AISTATS 2010, equation 16.
    """

    def __init__(self, seed: int) -> None:
        self._rng = np.random.default_rng(seed)

    def __call__(self, shape: tuple[int, ...], dtype: Any = None, **_: Any) -> np.ndarray:
        """Draw the next kernel, (..., inputs, outputs)."""
        taps = math.prod(shape[:-2])
        bound = math.sqrt(6 / (taps * (shape[-2] + shape[-1])))
        return self._rng.uniform(-bound, bound, shape).astype(dtype)


def output(x: Any, head: Head, kernels: GlorotUniform) -> Any:
    """The output of a head: a sigmoid for the second of two classes, a softmax over more.

    Args:
        x: What the head has made of a clip, shape (clips, units).
        head: The head; its name is that of the layer.
        kernels: How the kernel begins.
    """
    activation = "sigmoid" if head.units == 1 else "softmax"
    return SteadyDense(
        head.units, activation=activation, kernel_initializer=kernels, name=head.name
    )(x)
