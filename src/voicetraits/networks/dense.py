"""Dense layer with the values and gradients of Keras's, and the same bits on every processor.

XLA hands a product with a transposed matrix, such as both gradients of a dense layer, to Eigen,
which cuts its sums to the size of the processor's caches. So the transposed matrix is made first,
behind a barrier that keeps XLA from merging the two; what is then left goes another way.
"""

from __future__ import annotations

from typing import Any

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax
from jax import lax


class SteadyDense(keras.layers.Dense):
    """Dense, for inputs of shape (clips, units) or (clips, frames, units)."""

    def call(self, inputs: Any, training: Any = None) -> Any:
        """Multiply by the kernel, add the bias, and activate."""
        kernel, bias = map(keras.ops.convert_to_tensor, (self.kernel, self.bias))
        rows = product(inputs.reshape(-1, inputs.shape[-1]), kernel)
        return self.activation(rows.reshape(*inputs.shape[:-1], -1) + bias)


@jax.custom_vjp
def product(left: jax.Array, right: jax.Array) -> jax.Array:
    """Matrix product of (a, b) and (b, c)."""
    return left @ right


def _forward(left: jax.Array, right: jax.Array) -> tuple[jax.Array, Any]:
    return product(left, right), (left, right)


def _backward(kept: Any, gradient: jax.Array) -> tuple[jax.Array, jax.Array]:
    left, right = kept
    # Rows are many, and to transpose them costs as much as a fifth of the product: the narrower.
    if left.shape[1] > gradient.shape[1]:
        of_right = transposed(transposed(gradient) @ left)
    else:
        of_right = transposed(left) @ gradient
    return gradient @ transposed(right), of_right


product.defvjp(_forward, _backward)


def transposed(matrix: jax.Array) -> jax.Array:
    """The transposed matrix as one of its own, which no product takes for the original."""
    return lax.optimization_barrier(matrix.T)
