"""The CNNs of both tasks."""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras
from voicetraits.networks.convolution import Conv3x3
from voicetraits.networks.dense import SteadyDense
from voicetraits.networks.layers import GlorotUniform, HalvingPool
from voicetraits.tasks import Task

FILTERS = (16, 32, 64, 128)


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
