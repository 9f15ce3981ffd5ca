"""The time-delay network: its layers, its size, and that it learns."""

from __future__ import annotations

import numpy as np
import pytest

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)
import jax

from voicetraits.networks import ANY_LENGTH, build
from voicetraits.networks.convolution1d import TimeConvolution, convolve
from voicetraits.networks.layers import GlorotUniform
from voicetraits.networks.pooling import AttentiveStatistics, SqueezeExcitation
from voicetraits.networks.tdnn import FRAMES, frames_of
from voicetraits.tasks import Head

pytestmark = pytest.mark.slow

GENDER, LANGUAGE = Head("gender", 2), Head("language", 4)
BANDS = 64


def log_mel(clips: int, frames: int, *, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(clips, BANDS, frames)).astype(np.float32)


def loud_above_or_below(clips: int, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Clips that are now and then loud, in the lower bands (class 0) or in the upper (1)."""
    rng = np.random.default_rng(seed)
    labels = np.arange(clips) % 2
    values = log_mel(clips, 40, seed=seed)
    for clip, label in enumerate(labels):
        values[clip, 32 * label : 32 * label + 32, rng.integers(40, size=8)] += 1
    return values, labels[:, None].astype(np.float32)


@pytest.mark.parametrize("heads", [(GENDER,), (LANGUAGE,), (GENDER, LANGUAGE)])
@pytest.mark.parametrize("name", ANY_LENGTH)
def test_clips_of_any_length_get_probabilities_of_every_head(name, heads):
    network = build(name, (BANDS, None), heads, seed=1)
    for frames in (5, 200, 301):
        outputs = network(log_mel(3, frames))
        for head, found in zip(heads, outputs if len(heads) > 1 else [outputs], strict=True):
            assert found.shape == (3, head.units)
            assert np.all((np.asarray(found) > 0) & (np.asarray(found) < 1))
            if head.units > 1:
                np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)


def test_a_network_of_a_fixed_length_has_the_weights_of_one_of_any_length():
    fixed, free = (build("tdnn", (BANDS, frames), (GENDER,), seed=1) for frames in (200, None))
    assert fixed.input_shape == (None, BANDS, 200)
    for one, other in zip(fixed.get_weights(), free.get_weights(), strict=True):
        np.testing.assert_array_equal(one, other)


def test_both_networks_are_small_and_look_at_frames_alike():
    plain, wider = (build(name, (BANDS, None), (GENDER,), seed=1) for name in ANY_LENGTH)
    assert 300_000 < plain.count_params() < 400_000
    assert 1.2 * plain.count_params() < wider.count_params() < 500_000
    known = frames_of(plain).get_weights()
    frames_of(wider).set_weights(known)
    clips = log_mel(2, 60)
    np.testing.assert_array_equal(frames_of(plain)([clips]), frames_of(wider)([clips]))


def test_the_layers_after_those_for_frames_see_half_a_second_of_what_these_say():
    network = build("tdnn_context", (BANDS, None), (GENDER,), seed=1)
    (last,) = (layer for layer in network.layers if isinstance(layer, keras.layers.Concatenate))
    context = keras.Model(network.get_layer(FRAMES).output, last.output)
    said = np.random.default_rng(0).normal(size=(1, 60, 256)).astype(np.float32)
    other = said.copy()
    other[:, 30] += 1
    moved = np.any(np.asarray(context(said)) != context(other), axis=0)
    np.testing.assert_array_equal(np.flatnonzero(moved[:, :256].any(axis=1)), [30])
    # 20 ms from one to the next
    np.testing.assert_array_equal(np.flatnonzero(moved[:, -64:].any(axis=1)), range(18, 43, 4))


def test_the_order_of_frames_counts():
    network = build("tdnn", (BANDS, None), (GENDER,), seed=1)
    clips = log_mel(4, 50)
    assert not np.allclose(network(clips), network(clips[:, :, ::-1]), atol=1e-5)


def test_the_network_learns_and_gives_the_same_bits_again():
    clips, targets = loud_above_or_below(64, seed=1)
    unseen, truth = loud_above_or_below(40, seed=2)
    found = []
    for _ in range(2):
        keras.utils.clear_session()
        network = build("tdnn", (BANDS, None), (GENDER,), seed=1)
        network.compile(keras.optimizers.Adam(0.002), loss="binary_crossentropy")
        network.fit(clips, targets, batch_size=16, epochs=8, verbose=0, shuffle=False)
        found.append(network.predict(unseen, verbose=0))
    assert ((found[0] > 0.5) == truth).mean() > 0.9
    np.testing.assert_array_equal(found[0], found[1])


@pytest.mark.parametrize(
    ("frames", "taps", "stride", "dilation"),
    [(20, 5, 2, 1), (21, 5, 2, 1), (20, 3, 1, 1), (17, 3, 1, 3), (2, 3, 1, 3)],
)
def test_the_convolution_has_the_values_and_gradients_of_xla(frames, taps, stride, dilation):
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(3, frames, 6)).astype(np.float32)
    kernel = rng.normal(size=(taps, 6, 4)).astype(np.float32)

    def ours(inputs, kernel):
        return convolve(inputs, kernel, stride=stride, dilation=dilation)

    def xla(inputs, kernel):
        numbers = ("NWC", "WIO", "NWC")
        return jax.lax.conv_general_dilated(
            inputs, kernel, (stride,), "SAME", rhs_dilation=(dilation,), dimension_numbers=numbers
        )

    expected = xla(inputs, kernel)
    np.testing.assert_allclose(ours(inputs, kernel), expected, atol=1e-5)
    weights = rng.normal(size=expected.shape).astype(np.float32)
    mine, theirs = (
        jax.grad(lambda x, w, f=function: (f(x, w) * weights).sum(), argnums=(0, 1))(inputs, kernel)
        for function in (ours, xla)
    )
    for one, other in zip(mine, theirs, strict=True):
        np.testing.assert_allclose(one, other, atol=1e-4)


def test_no_convolution_is_left_to_xla_whose_bits_differ_by_processor():
    network = build("tdnn", (BANDS, None), (GENDER,), seed=1)
    program = jax.jit(lambda clips: network(clips)).lower(log_mel(2, 20)).as_text()
    assert "dot_general" in program and "stablehlo.convolution" not in program


def test_the_layer_equals_conv1d_with_the_same_weights():
    inputs = log_mel(2, 8)
    theirs = keras.layers.Conv1D(5, 3, padding="same", dilation_rate=2, activation="relu")
    ours = TimeConvolution(5, 3, dilation_rate=2, activation="relu")
    expected = theirs(inputs)
    ours.build(inputs.shape)
    ours.set_weights(theirs.get_weights())
    np.testing.assert_allclose(ours(inputs), expected, atol=1e-5)


def test_statistics_with_equal_weights_are_mean_and_deviation():
    inputs = log_mel(3, 10).swapaxes(1, 2)
    pooling = AttentiveStatistics(7, kernels=GlorotUniform(1))
    pooling.build(inputs.shape)
    pooling.score.set_weights([np.zeros_like(values) for values in pooling.score.get_weights()])
    expected = np.hstack([inputs.mean(axis=1), inputs.std(axis=1)])
    np.testing.assert_allclose(pooling(inputs), expected, atol=1e-4)


def test_statistics_follow_the_frames_that_get_the_weight():
    inputs = np.zeros((1, 6, 2), dtype=np.float32)
    inputs[0, 4] = 3
    pooling = AttentiveStatistics(2, kernels=GlorotUniform(1))
    pooling.build(inputs.shape)
    # tanh(3) at the frame that stands out, 0 elsewhere; times 20, all weight is there.
    pooling.look.set_weights([np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32)])
    pooling.score.set_weights([20 * np.eye(2, dtype=np.float32), np.zeros(2, dtype=np.float32)])
    np.testing.assert_allclose(pooling(inputs), [[3, 3, 0, 0]], atol=0.02)


def test_squeeze_and_excitation_weighs_whole_channels():
    inputs = np.abs(log_mel(2, 9)).swapaxes(1, 2) + 0.1
    gains = np.asarray(SqueezeExcitation(4, kernels=GlorotUniform(1))(inputs)) / inputs
    assert np.all((gains > 0) & (gains < 1))
    assert np.ptp(gains, axis=1).max() < 1e-5
    assert np.ptp(gains, axis=2).min() > 0.01
