"""The convolution: values and gradients are those of Keras's own layer."""

import numpy as np
import pytest

from voicetraits.networks.backend import keras  # isort: skip
import jax

from voicetraits.networks.convolution import Conv3x3, convolve


@pytest.mark.slow
@pytest.mark.parametrize(("rows", "columns", "channels"), [(68, 68, 1), (17, 16, 32), (5, 3, 2)])
def test_values_and_gradients_equal_those_of_xla(rows, columns, channels):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, rows, columns, channels)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, channels, 4)).astype(np.float32)
    weights = rng.normal(size=(3, rows, columns, 4)).astype(np.float32)

    def xla(inputs, kernel):
        numbers = ("NHWC", "HWIO", "NHWC")
        return jax.lax.conv_general_dilated(
            inputs, kernel, (1, 1), "SAME", dimension_numbers=numbers
        )

    np.testing.assert_allclose(convolve(inputs, kernel), xla(inputs, kernel), atol=1e-4)
    ours, theirs = (
        jax.grad(lambda x, w, f=function: (f(x, w) * weights).sum(), argnums=(0, 1))(inputs, kernel)
        for function in (convolve, xla)
    )
    for mine, other in zip(ours, theirs, strict=True):
        np.testing.assert_allclose(mine, other, rtol=1e-4, atol=1e-2)


@pytest.mark.slow
def test_the_layer_equals_conv2d_with_the_same_weights():
    inputs = np.random.default_rng(1).normal(size=(2, 9, 8, 3)).astype(np.float32)
    theirs = keras.layers.Conv2D(5, 3, padding="same", activation="relu")
    ours = Conv3x3(5, activation="relu")
    expected = theirs(inputs)
    ours.build(inputs.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(inputs), expected, atol=1e-5)
