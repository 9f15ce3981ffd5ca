"""A time-delay network on log-mel of any length, with attentive statistics pooling."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from typing import Any

from voicetraits.networks.backend import keras
from voicetraits.networks.convolution1d import TimeConvolution
from voicetraits.networks.dense import SteadyDense
from voicetraits.networks.layers import GlorotUniform, output
from voicetraits.networks.pooling import AttentiveStatistics, SqueezeExcitation
from voicetraits.tasks import Head

CHANNELS = 128
TAPS, STRIDE = 5, 2  # of the first layer, which halves the frames
DILATIONS = (1, 2, 3)  # of the residual blocks, in frames after the first layer
SQUEEZED = 64
POOLED = 256  # channels whose statistics are taken
ATTENTION = 128
DENSE = 64  # before an output
DROPOUT_OF_STATISTICS, DROPOUT_OF_DENSE = 0.3, 0.2
FRAMES = "frames"  # the last layer that looks at frames one by one
CONTEXT = 64  # channels of each further convolution after it, where there are any


def build(
    shape: tuple[int | None, ...],
    heads: tuple[Head, ...],
    *,
    seed: int,
    contexts: Sequence[int] = (),
) -> Any:
    """Build the time-delay network, with fresh weights.

    A convolution over time, three residual blocks of dilated ones with squeeze and excitation, a
    dense layer per frame, and the weighted mean and deviation over the frames; then a dense layer
    for every head. Two classes end in one sigmoid output, the probability of the second; more in a
    softmax.

    Source: Desplanques, Thienpondt and Demuynck, Interspeech 2020 (ECAPA-TDNN), much reduced.

    Args:
        shape: (bands, frames) of a clip's log-mel; None frames stand for any number.
        heads: The outputs.
        seed: Of the weights and of what dropout leaves out.
        contexts: Dilations of further convolutions over what FRAMES says, one upon the other; the
            pooling then sees what FRAMES and all of them say.

    Returns:
        A keras.Model, not compiled.
    """
    kernels, seeds = GlorotUniform(seed), itertools.count(seed)
    inputs = keras.Input(shape)
    x = keras.layers.Permute((2, 1))(inputs)
    x = _convolution(x, CHANNELS, kernels, TAPS, strides=STRIDE)
    for dilation in DILATIONS:
        y = _convolution(x, CHANNELS, kernels, 3, dilation_rate=dilation)
        x = keras.layers.Add()([x, SqueezeExcitation(SQUEEZED, kernels=kernels)(y)])
    x = SteadyDense(POOLED, activation="relu", kernel_initializer=kernels, name=FRAMES)(x)
    if contexts:
        seen = [x]
        for dilation in contexts:
            seen.append(_convolution(seen[-1], CONTEXT, kernels, 3, dilation_rate=dilation))
        x = keras.layers.Concatenate()(seen)
    x = AttentiveStatistics(ATTENTION, kernels=kernels)(x)
    x = _normalisation()(x)
    x = keras.layers.Dropout(DROPOUT_OF_STATISTICS, seed=next(seeds))(x)
    outputs = [_head(x, head, kernels, seeds) for head in heads]
    return keras.Model(inputs, outputs if len(outputs) > 1 else outputs[0])


def frames_of(network: Any) -> Any:
    """The layers of a network of this kind up to FRAMES, as a keras.Model that shares them."""
    return keras.Model(network.inputs, network.get_layer(FRAMES).output)


def _convolution(x: Any, channels: int, kernels: GlorotUniform, taps: int, **options: int) -> Any:
    # No bias: normalisation would take it away again.
    x = TimeConvolution(channels, taps, use_bias=False, kernel_initializer=kernels, **options)(x)
    return keras.layers.ReLU()(_normalisation()(x))


def _normalisation() -> Any:
    # As in the original network, the default momentum of 0.99 is too slow for few steps.
    return keras.layers.BatchNormalization(momentum=0.95)


def _head(x: Any, head: Head, kernels: GlorotUniform, seeds: Iterator[int]) -> Any:
    x = SteadyDense(DENSE, activation="relu", kernel_initializer=kernels)(x)
    x = keras.layers.Dropout(DROPOUT_OF_DENSE, seed=next(seeds))(_normalisation()(x))
    return output(x, head, kernels)
