"""The CNNs of both tasks."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from voicetraits.cnn.backend import keras
from voicetraits.cnn.convolution import Conv3x3
from voicetraits.cnn.dense import SteadyDense
from voicetraits.tasks import Task

FILTERS = (16, 32, 64, 128)


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
        cells = math.prod(shape[:-2])
        bound = math.sqrt(6 / (cells * (shape[-2] + shape[-1])))
        return self._rng.uniform(-bound, bound, shape).astype(dtype)


def build_model(task: Task, *, frames: int, seed: int) -> Any:
    """Build the CNN of a task, with fresh weights.

    Four blocks of 3x3 convolution, batch normalisation and 2x2 max pooling, then the task's dense
    layers. Gender ends in one sigmoid output, the probability of the second class; language in a
    softmax over its classes.

    Args:
        task: Gives the dense layers and the number of classes.
        frames: Frames of a clip; the input is (68, frames, 1).
        seed: Of the weights.

    Returns:
        A keras.Model, not compiled.
    """
    layers = keras.layers
    kernels = GlorotUniform(seed)
    inputs = keras.Input((68, frames, 1))
    x = inputs
    for filters in FILTERS:
        x = Conv3x3(filters, activation="relu", kernel_initializer=kernels)(x)
        # The default momentum of 0.99 needs hundreds of steps before the moving averages are of
        # any use; a small training set has a dozen an epoch, and the model would be judged,
        # stopped and kept on averages that are still near their start.
        x = layers.BatchNormalization(momentum=0.9)(x)
        x = HalvingPool()(x)
    x = layers.Flatten()(x)
    for units in task.dense:
        x = SteadyDense(units, activation="relu", kernel_initializer=kernels)(x)
    units, activation = (1, "sigmoid") if task.binary else (len(task.classes), "softmax")
    outputs = SteadyDense(units, activation=activation, kernel_initializer=kernels)(x)
    return keras.Model(inputs, outputs, name=task.name)
