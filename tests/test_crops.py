"""What training on clips of any length is made of: which clips, which crops, which mixtures."""

from __future__ import annotations

import numpy as np
import pytest

from voicetraits.params import Crops
from voicetraits.training import fit
from voicetraits.training.crops import (
    SpreadCrops,
    predict_clips,
    random_crops,
    spread_starts,
)
from voicetraits.training.mixup import mix
from voicetraits.training.sampling import draw, weights_of

BANDS = 3


class Counting:
    """Clips whose frames count up: 100 x clip + frame in the first band, then further 1000s."""

    def __init__(self, *lengths: int) -> None:
        self._clips = [
            (100 * clip + np.arange(length))[:, None] + 1000 * np.arange(BANDS)
            for clip, length in enumerate(lengths)
        ]

    def length(self, clip: int) -> int:
        return len(self._clips[clip])

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        frames = self._clips[clip]
        assert start + length <= len(frames) or start == 0
        return np.resize(frames, (max(length, len(frames)), BANDS))[start : start + length]


def starts_of(crops: np.ndarray) -> np.ndarray:
    """First frames of crops, after a look at what they hold."""
    assert crops.dtype == np.float32
    first = crops[:, :1, :1]
    counting = np.arange(crops.shape[2]) + 1000 * np.arange(BANDS)[:, None]
    np.testing.assert_array_equal(crops, first + counting)
    return first[:, 0, 0].astype(int)


def test_random_crops_lie_anywhere_in_their_clip():
    clips = Counting(20, 12)
    rng = np.random.default_rng(0)
    found = np.array(
        [starts_of(random_crops(clips, [1, 0], frames=10, rng=rng)) for _ in range(99)]
    )
    assert set(found[:, 0]) == {100, 101, 102}
    assert set(found[:, 1]) == set(range(11))


def test_random_crops_are_the_same_again_for_a_seed():
    clips = Counting(50, 60)
    one, again, other = (
        random_crops(clips, [0, 1, 0, 1], frames=10, rng=np.random.default_rng(seed))
        for seed in (1, 1, 2)
    )
    np.testing.assert_array_equal(one, again)
    assert np.any(one != other)


def test_a_clip_shorter_than_a_crop_is_repeated():
    crop = random_crops(Counting(4), [0], frames=10, rng=np.random.default_rng(0))
    assert crop[0, 0].tolist() == [0, 1, 2, 3, 0, 1, 2, 3, 0, 1]


@pytest.mark.parametrize(
    ("length", "crops", "expected"),
    [
        (40, 4, [0, 10, 20, 30]),
        (40, 1, [15]),
        (12, 4, [0, 1, 2]),
        (10, 4, [0]),
        (3, 4, [0]),
        (3, 1, [0]),
    ],
)
def test_crops_for_prediction_are_spread_evenly_and_none_is_there_twice(length, crops, expected):
    assert spread_starts(length, frames=10, crops=crops).tolist() == expected


def test_spread_crops_are_read_by_number():
    crops = SpreadCrops(Counting(40, 5, 30), [2, 0], frames=10, crops=3)
    assert crops.shape == (6, BANDS, 10)
    assert starts_of(crops[:]).tolist() == [200, 210, 220, 0, 15, 30]
    assert starts_of(crops[np.array([4, 0])]).tolist() == [15, 200]


def test_a_clip_has_the_mean_of_its_crops():
    crops = SpreadCrops(Counting(40, 5, 30), [2, 1, 0], frames=10, crops=2)
    probabilities = np.array([[0.1, 0.9], [0.3, 0.7], [0.8, 0.2], [0.5, 0.5], [1.0, 0.0]])
    expected = [[0.2, 0.8], [0.8, 0.2], [0.75, 0.25]]
    np.testing.assert_allclose(crops.mean_by_clip(probabilities), expected)


@pytest.mark.parametrize(
    ("length", "expected"), [(3, 40), (25, 40), (40, 50), (50, 50), (51, 75), (99, 90), (300, 90)]
)
def test_a_short_clip_is_repeated_no_further_than_it_takes(length, expected):
    assert Crops(90, 2, least=40).length(length) == expected


def test_each_clip_gets_its_own_prediction_whatever_the_lengths_of_the_others(monkeypatch):
    asked = []

    def first_frame_and_length(network, crops, *, batch_size):
        asked.append(crops.shape[2])
        shown = crops[:]
        return [shown[:, 0, :1], np.full((len(shown), 1), shown.shape[2])]

    monkeypatch.setattr(fit, "predict_heads", first_frame_and_length)
    clips = Counting(95, 5, 60, 45, 30)
    first, frames = predict_clips(
        None, clips, [3, 0, 4, 1, 2], Crops(90, 2, least=40), batch_size=8
    )
    assert asked == [40, 50, 75, 90]
    assert frames[:, 0].tolist() == [50, 90, 50, 40, 75]
    assert first[:, 0].tolist() == [300, 2.5, 400, 100, 200]


def test_classes_are_drawn_equally_often():
    labels = np.array([0] * 90 + [1] * 9 + [2])
    drawn = draw(labels, ["all"] * 100, clips=32, rng=np.random.default_rng(0))
    assert sorted(np.bincount(labels[drawn])) == [10, 11, 11]


def test_a_class_that_is_missing_is_not_drawn():
    labels = np.array([0, 2, 2])
    drawn = draw(labels, ["all"] * 3, clips=8, rng=np.random.default_rng(0))
    assert np.bincount(labels[drawn]).tolist() == [4, 0, 4]


def test_a_group_four_times_as_large_comes_twice_as_often():
    labels = np.array([0] * 50 + [1] * 7)
    groups = [("read", "es")] * 40 + [("phone", "es")] * 10 + [("a", "b")] * 7
    np.testing.assert_allclose(weights_of(groups)[[0, 40]], [40**-0.5, 10**-0.5])
    rng = np.random.default_rng(0)
    drawn = np.concatenate([draw(labels, groups, clips=100, rng=rng) for _ in range(50)])
    counts = np.bincount(drawn, minlength=57)
    assert counts[:40].sum() / counts[40:50].sum() == pytest.approx(2, rel=0.03)
    # In a group, every clip as often as any other.
    assert counts[:40].min() > 0.7 * counts[:40].mean()


def test_a_pass_repeats_no_clip_before_it_has_to():
    labels = np.array([0] * 30 + [1] * 30)
    drawn = draw(labels, ["all"] * 60, clips=60, rng=np.random.default_rng(0))
    assert sorted(drawn) == list(range(60))
    assert drawn.tolist() != sorted(drawn)
    # The classes are spread over the pass.
    assert 5 < labels[drawn][:30].sum() < 25


def test_draws_are_the_same_again_for_a_seed():
    labels, groups = np.arange(40) % 2, [str(clip % 3) for clip in range(40)]
    one, again, other = (
        draw(labels, groups, clips=20, rng=np.random.default_rng(seed)).tolist()
        for seed in (1, 1, 2)
    )
    assert one == again != other


def one_head(inputs, targets, *, alpha, seed=1, weights=None):
    """Inputs and targets of a network with one head, mixed."""
    labels = [(targets, np.ones(len(targets), targets.dtype) if weights is None else weights)]
    mixed, (found,), (weights,) = mix(inputs, labels, alpha=alpha, rng=np.random.default_rng(seed))
    return mixed, found, weights


def test_mixup_mixes_clips_and_targets_in_the_same_proportion():
    targets = np.eye(6, dtype=np.float32)
    inputs = np.repeat(targets[:, :, None], 4, axis=2)
    mixed, found, weights = one_head(inputs, targets, alpha=0.3)
    assert mixed.dtype == found.dtype == np.float32
    np.testing.assert_array_equal(mixed, np.repeat(found[:, :, None], 4, axis=2))
    np.testing.assert_allclose(found.sum(axis=1), 1, atol=1e-6)
    np.testing.assert_array_equal(weights, 1)
    own = np.diag(found)
    assert np.all(own >= 0.5) and own.min() < 0.99
    assert np.all((found > 0).sum(axis=1) <= 2)
    again, _, _ = one_head(inputs, targets, alpha=0.3)
    np.testing.assert_array_equal(again, mixed)


def test_of_two_clips_the_one_without_a_label_has_no_say_in_the_target():
    targets = np.eye(6, dtype=np.float32)
    inputs = np.repeat(targets[:, :, None], 4, axis=2)
    known = np.array([1, 1, 1, 0, 0, 0], np.float32)
    mixed, found, weights = one_head(inputs, targets, alpha=0.3, weights=known)
    shares = mixed[:, :, 0]
    np.testing.assert_allclose(weights, shares[:, :3].sum(axis=1), atol=1e-6)
    assert 0 <= weights.min() < weights.max() <= 1
    np.testing.assert_allclose(found[:, 3:], 0)
    np.testing.assert_allclose(found.sum(axis=1), weights > 0, atol=1e-6)


def test_mixup_with_alpha_0_is_off():
    inputs, targets = np.ones((2, 3, 4)), np.ones((2, 1))
    mixed, found, _ = one_head(inputs, targets, alpha=0)
    assert mixed is inputs and found is targets
