"""Augmentation: every part changes what it is for, in training only, and the same way again."""

from __future__ import annotations

import numpy as np
import pytest

from voicetraits.networks.augment import Augmentation
from voicetraits.networks.backend import keras

pytestmark = pytest.mark.slow

ALL = {
    "room": 0.3,
    "noise": 0.5,
    "low_pass": 0.4,
    "high_pass": 0.2,
    "time_masks": 2,
    "frequency_masks": 2,
}
CLIPS, BANDS, FRAMES = 200, 64, 50


@pytest.fixture(scope="module")
def clips() -> np.ndarray:
    """Noise of two nats; each band's mean over a clip is 0, as in the features."""
    values = np.random.default_rng(0).normal(scale=2, size=(CLIPS, BANDS, FRAMES))
    return (values - values.mean(axis=2, keepdims=True)).astype(np.float32)


def augmented(clips: np.ndarray, *, seed: int = 1, **parts: float) -> np.ndarray:
    return np.asarray(Augmentation(seed=seed, **parts)(clips, training=True))


def test_with_all_parts_off_nothing_changes(clips):
    np.testing.assert_array_equal(augmented(clips), clips)


def test_nothing_changes_at_prediction(clips):
    layer = Augmentation(seed=1, **ALL)
    np.testing.assert_array_equal(layer(clips), clips)
    np.testing.assert_array_equal(layer(clips, training=False), clips)
    model = keras.Sequential([keras.Input((BANDS, FRAMES)), layer])
    np.testing.assert_array_equal(model.predict(clips, verbose=0), clips)


def test_the_seed_decides_and_every_step_draws_anew(clips):
    layer, again = (Augmentation(seed=1, **ALL) for _ in range(2))
    first, second = (np.asarray(layer(clips, training=True)) for _ in range(2))
    np.testing.assert_array_equal(again(clips, training=True), first)
    np.testing.assert_array_equal(again(clips, training=True), second)
    assert np.any(first != second, axis=(1, 2)).mean() > 0.9
    assert np.any(first != augmented(clips, seed=2, **ALL), axis=(1, 2)).mean() > 0.9


@pytest.mark.parametrize("part", ["room", "noise", "low_pass", "high_pass"])
def test_a_part_changes_the_share_of_clips_that_its_number_says(clips, part):
    found = augmented(clips, **{part: 0.4})
    assert 0.3 < np.any(np.abs(found - clips) > 1e-3, axis=(1, 2)).mean() < 0.5
    assert np.all(np.any(augmented(clips, **{part: 1}) != clips, axis=(1, 2)))


def test_a_room_fills_what_comes_after_a_sound_and_keeps_the_mean_of_a_band():
    click = np.full((CLIPS, BANDS, FRAMES), -6, np.float32)
    click[..., 10] = 6
    found = augmented(click, room=1)
    np.testing.assert_allclose(found.mean(axis=2), click.mean(axis=2), atol=1e-3)
    over = found - found[..., :1]  # what the frame before the click holds
    np.testing.assert_allclose(over[..., 1:10], 0, atol=1.75)  # its own quiet echo, level e^1.5
    dying = np.diff(over[..., 11:], axis=2)
    assert np.all((dying < 0) | (over[..., 12:] < 3))
    # In a dry room within few frames, in another not before the end.
    heard = (over[:, 0, 10:] > 3).sum(axis=1)
    assert heard.min() < 15 and heard.max() > 30


def test_noise_fills_the_quiet_cells_and_keeps_the_mean_of_a_band(clips):
    found = augmented(clips, noise=1)
    np.testing.assert_allclose(found.mean(axis=2), clips.mean(axis=2), atol=1e-4)
    assert np.ptp(found, axis=2).mean() < 0.9 * np.ptp(clips, axis=2).mean()
    spread = found.std(axis=2) / clips.std(axis=2)  # the less, the louder the noise in a band
    tilt = spread[:, -10:].mean(axis=1) - spread[:, :10].mean(axis=1)
    assert tilt.max() > 0.1 and tilt.min() < -0.1


@pytest.mark.parametrize(("part", "lost", "left"), [("low_pass", -1, 0), ("high_pass", 0, -1)])
def test_a_filter_takes_the_bands_beyond_its_end(clips, part, lost, left):
    kept = np.abs(augmented(clips, **{part: 1})).mean(axis=2) / np.abs(clips).mean(axis=2)
    assert kept[:, lost].mean() < 0.35
    np.testing.assert_allclose(kept[:, left], 1, atol=0.01)
    assert np.all(np.diff(kept, axis=1) * (1 if part == "high_pass" else -1) > -1e-4)


@pytest.mark.parametrize(
    ("part", "axis", "other"), [("time_masks", 2, 1), ("frequency_masks", 1, 2)]
)
def test_a_mask_is_one_span_of_whole_frames_or_bands(clips, part, axis, other):
    found = augmented(clips, **{part: 1})
    masked = np.all(found == 0, axis=other)
    np.testing.assert_array_equal(found == 0, np.expand_dims(masked, other) | (clips == 0))
    edges = np.abs(np.diff(np.pad(masked.astype(int), ((0, 0), (1, 1))), axis=1)).sum(axis=1)
    assert set(edges) <= {0, 2}
    assert 0.1 < masked.mean(axis=1).max() <= 0.16
    assert masked.any(axis=0).mean() > 0.9  # anywhere in the clip
    assert (augmented(clips, **{part: 3}) == 0).sum() > 2 * (found == 0).sum()
