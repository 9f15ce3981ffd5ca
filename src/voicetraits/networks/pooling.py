"""Layers that look at all frames of a clip: squeeze and excitation, attentive statistics."""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras
from voicetraits.networks.dense import SteadyDense
from voicetraits.networks.layers import GlorotUniform

# Added to a variance before its root is taken: the root has no gradient at 0.
LEAST_VARIANCE = 1e-5


class SqueezeExcitation(keras.layers.Layer):
    """Every channel times a gain in (0, 1) that the clip's mean over time decides.

    (clips, frames, channels) -> the same shape.

    Source: Hu et al., CVPR 2018.

    Args:
        units: Of the layer between mean and gains.
        kernels: How the kernels begin.
    """

    def __init__(self, units: int, *, kernels: GlorotUniform) -> None:
        super().__init__()
        self._units, self._kernels = units, kernels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights of both dense layers."""
        shape = (None, input_shape[-1])
        self.squeeze, self.excite = _there_and_back(
            shape, self._units, activations=("relu", "sigmoid"), kernels=self._kernels
        )

    def call(self, inputs: Any) -> Any:
        """Weigh the channels."""
        gains = self.excite(self.squeeze(keras.ops.mean(inputs, axis=1)))
        return inputs * gains[:, None]


class AttentiveStatistics(keras.layers.Layer):
    """Weighted mean and standard deviation of every channel over the frames of a clip.

    (clips, frames, channels) -> (clips, 2 x channels), for any number of frames. Every channel has
    weights of its own, which sum to one over the frames.

    Source: Okabe, Koshinaka and Shinoda, Interspeech 2018; a weight per channel as in Desplanques,
    Thienpondt and Demuynck, Interspeech 2020 (ECAPA-TDNN).

    Args:
        units: Of the layer between a frame and its weights.
        kernels: How the kernels begin.
    """

    def __init__(self, units: int, *, kernels: GlorotUniform) -> None:
        super().__init__()
        self._units, self._kernels = units, kernels

    def build(self, input_shape: tuple[int | None, ...]) -> None:
        """Make the weights of both dense layers."""
        shape = (None, None, input_shape[-1])
        self.look, self.score = _there_and_back(
            shape, self._units, activations=("tanh", None), kernels=self._kernels
        )

    def call(self, inputs: Any) -> Any:
        """Gather the statistics."""
        weights = keras.ops.softmax(self.score(self.look(inputs)), axis=1)
        mean = keras.ops.sum(weights * inputs, axis=1)
        variance = keras.ops.sum(weights * keras.ops.square(inputs - mean[:, None]), axis=1)
        deviation = keras.ops.sqrt(variance + LEAST_VARIANCE)
        return keras.ops.concatenate([mean, deviation], axis=-1)


def _there_and_back(
    shape: tuple[int | None, ...],
    units: int,
    *,
    activations: tuple[str | None, str | None],
    kernels: GlorotUniform,
) -> tuple[SteadyDense, SteadyDense]:
    """Two dense layers, with weights: from the channels of a shape to units, and back."""
    *others, channels = shape
    there, back = (
        SteadyDense(size, activation=activation, kernel_initializer=kernels)
        for size, activation in zip((units, channels), activations, strict=True)
    )
    there.build(shape)
    back.build((*others, units))
    return there, back
