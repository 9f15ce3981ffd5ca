"""Convolution over time with Keras's values and gradients, and the same bits on every processor.

XLA's own is a fifth faster on a CPU, but its values differ from processor to processor. So it is a
matrix product here, of what the taps see with the kernel.
"""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax
import jax.numpy as jnp

from voicetraits.networks.dense import product


class TimeConvolution(keras.layers.Conv1D):
    """Conv1D with "same" padding, for inputs of shape (clips, frames, channels)."""

    def __init__(self, filters: int, taps: int, **options: Any) -> None:
        super().__init__(filters, taps, padding="same", **options)

    def call(self, inputs: Any) -> Any:
        """Convolve, add the bias if there is one, and activate."""
        (stride,), (dilation,) = self.strides, self.dilation_rate
        kernel = keras.ops.convert_to_tensor(self.kernel)
        found = convolve(inputs, kernel, stride=stride, dilation=dilation)
        return self.activation(found + self.bias if self.use_bias else found)


def convolve(
    inputs: jax.Array, kernel: jax.Array, *, stride: int = 1, dilation: int = 1
) -> jax.Array:
    """Convolve over time, with zeros beyond both ends.

    Args:
        inputs: Shape (clips, frames, channels).
        kernel: Shape (taps, channels, filters).
        stride: Frames from one output to the next.
        dilation: Frames from one tap to the next.

    Returns:
        Shape (clips, ceil(frames / stride), filters).
    """
    clips, frames, _ = inputs.shape
    taps, channels, filters = kernel.shape
    outputs = -(-frames // stride)
    last = (outputs - 1) * stride
    beyond = max(last + (taps - 1) * dilation + 1 - frames, 0)
    padded = jnp.pad(inputs, ((0, 0), (beyond // 2, beyond - beyond // 2), (0, 0)))
    starts = range(0, taps * dilation, dilation)
    seen = [padded[:, start : start + last + 1 : stride] for start in starts]
    rows = jnp.concatenate(seen, axis=-1).reshape(-1, taps * channels)
    found = product(rows, kernel.reshape(taps * channels, filters))
    return found.reshape(clips, outputs, filters)
