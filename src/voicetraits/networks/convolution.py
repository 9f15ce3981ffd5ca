"""3x3 convolution with the same values and gradients as Keras's, at less cost on a CPU.

XLA's own convolution loses most of its time where there is one input channel, and in the gradient
of the kernel. These are written as matrix
products here; everything else is left to XLA.
"""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax
import jax.numpy as jnp
from jax import lax

from voicetraits.networks.dense import transposed

_CHANNELS_LAST = ("NHWC", "HWIO", "NHWC")


class Conv3x3(keras.layers.Conv2D):
    """Conv2D of 3x3 kernels with stride 1 and "same" padding."""

    def __init__(self, filters: int, **options: Any) -> None:
        super().__init__(filters, 3, padding="same", **options)

    def convolution_op(self, inputs: Any, kernel: Any) -> Any:
        """Convolve (clips, rows, columns, channels) with (3, 3, channels, filters)."""
        return convolve(inputs, keras.ops.convert_to_tensor(kernel))


@jax.custom_vjp
def convolve(inputs: jax.Array, kernel: jax.Array) -> jax.Array:
    """Convolve, keeping rows and columns.

    Args:
        inputs: Shape (clips, rows, columns, channels).
        kernel: Shape (3, 3, channels, filters).

    Returns:
        Shape (clips, rows, columns, filters).
    """
    _, rows, columns, channels = inputs.shape
    # On less than one kernel, XLA takes a way of its own, with other bits on other processors.
    if channels > 1 and min(rows, columns) > 2:
        return lax.conv_general_dilated(
            inputs, kernel, (1, 1), "SAME", dimension_numbers=_CHANNELS_LAST
        )
    neighbours = jnp.concatenate(_shifted(inputs), axis=-1)
    return neighbours @ kernel.reshape(9 * channels, -1)


def _forward(inputs: jax.Array, kernel: jax.Array) -> tuple[jax.Array, Any]:
    return convolve(inputs, kernel), (inputs, kernel)


def _backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    inputs, kernel = kept
    # The convolution of the gradient with the kernel turned round.
    turned = jnp.flip(kernel, (0, 1)).swapaxes(2, 3)
    of_inputs = convolve(gradient, lax.optimization_barrier(turned))
    return of_inputs, _kernel_gradient(inputs, gradient).reshape(kernel.shape)


def _kernel_gradient(inputs: jax.Array, gradient: jax.Array) -> jax.Array:
    """Products of what each tap sees with the gradient: shape (9 x channels, filters).

    As in voicetraits.networks.dense, no product is left to Eigen.
    """
    if inputs.shape[-1] == 1:
        rows = lax.optimization_barrier(jnp.stack([tap.reshape(-1) for tap in _shifted(inputs)]))
        return rows @ gradient.reshape(-1, gradient.shape[-1])
    # In the padded input, laid out as one line, every tap lies at a distance of its own; the padded
    # gradient is zero wherever such a line leaves a row.
    width, channels = inputs.shape[2:]
    padded = jnp.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    line = transposed(padded.reshape(-1, channels))
    spread = jnp.pad(gradient, ((0, 0), (0, 2), (0, 2), (0, 0))).reshape(-1, gradient.shape[-1])
    values = line.shape[1] - 2 * (width + 2) - 2
    taps = [
        line[:, start : start + values] @ spread[:values]
        for start in (row * (width + 2) + column for row in range(3) for column in range(3))
    ]
    return jnp.concatenate(taps)


convolve.defvjp(_forward, _backward)


def _shifted(inputs: jax.Array) -> list[jax.Array]:
    """What each of the nine taps of the kernel sees, with zeros beyond the border."""
    _, rows, columns, _ = inputs.shape
    padded = jnp.pad(inputs, ((0, 0), (1, 1), (1, 1), (0, 0)))
    return [padded[:, i : i + rows, j : j + columns] for i in range(3) for j in range(3)]
