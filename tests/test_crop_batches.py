"""Batches to train on clips of any length, up to a network that learns from them."""

from __future__ import annotations

import numpy as np
import pytest

from voicetraits.networks import build
from voicetraits.networks.augment import Augmentation
from voicetraits.networks.backend import keras
from voicetraits.tasks import Head
from voicetraits.training.crop_batches import CropBatches
from voicetraits.training.crops import SpreadCrops
from voicetraits.training.fit import predict, targets

pytestmark = pytest.mark.slow

BANDS, FRAMES = 64, 30
GENDER = Head("gender", 2)


class Voices:
    """Clips of 20 to 79 frames, now and then loud: in the upper bands for odd places."""

    def __init__(self, clips: int) -> None:
        rng = np.random.default_rng(0)
        self.labels = np.arange(clips) % 2
        self._clips = [rng.normal(size=(rng.integers(20, 80), BANDS)) for _ in range(clips)]
        for values, label in zip(self._clips, self.labels, strict=True):
            values[::5, 32 * label : 32 * label + 32] += 1.5

    def length(self, clip: int) -> int:
        return len(self._clips[clip])

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        values = self._clips[clip]
        return np.resize(values, (max(length, len(values)), BANDS))[start : start + length]


def batches(voices: Voices, places: np.ndarray, **options: float) -> CropBatches:
    labels = voices.labels[places]
    return CropBatches(
        voices,
        places,
        labels=labels,
        groups=labels.tolist(),
        targets=[targets(labels, GENDER)],
        weights=[np.ones(len(labels))],
        frames=FRAMES,
        batch_size=8,
        **{"seed": 1, **options},
    )


def test_batches_are_full_and_balanced_however_few_clips_of_a_class_there_are():
    few = batches(Voices(60), np.array([*range(0, 60, 2), 1]))
    assert len(few) == 3
    inputs, found, _ = zip(*(few[number] for number in range(3)), strict=True)
    assert {batch.shape for batch in inputs} == {(8, BANDS, FRAMES)}
    assert np.concatenate(found).mean() == 0.5
    assert len(batches(Voices(4), np.arange(4), steps=5)) == 5


def test_a_batch_is_the_same_however_often_it_is_asked_for_and_another_in_every_pass():
    one, again = (batches(Voices(32), np.arange(32), mixup=0.3) for _ in range(2))
    again[3], again[0]
    first = one[0]
    for mine, other in zip(first, again[0], strict=True):
        np.testing.assert_array_equal(np.asarray(mine), np.asarray(other))
    one.on_epoch_end()
    assert np.any(one[0][0] != first[0])
    assert np.any(batches(Voices(32), np.arange(32), mixup=0.3, seed=2)[0][0] != first[0])


def test_mixup_is_off_unless_it_is_asked_for():
    voices = Voices(32)
    assert set(np.unique(batches(voices, np.arange(32))[0][1])) == {0, 1}
    assert len(np.unique(batches(voices, np.arange(32), mixup=0.3)[0][1])) > 2


def test_a_network_learns_from_them_behind_augmentation_and_gives_the_same_bits_again():
    voices = Voices(96)
    training, unseen = np.arange(64), np.arange(64, 96)
    found = []
    for _ in range(2):
        keras.utils.clear_session()
        network = build("tdnn", (BANDS, None), (GENDER,), seed=1)
        parts = {"room": 0.2, "noise": 0.2, "low_pass": 0.2}
        augmentation = Augmentation(seed=1, **parts, time_masks=1, frequency_masks=1)
        trained = keras.Sequential([augmentation, network])
        trained.compile(keras.optimizers.Adam(0.002), loss="binary_crossentropy")
        trained.fit(batches(voices, training, mixup=0.2), epochs=6, verbose=0, shuffle=False)
        crops = SpreadCrops(voices, unseen, frames=FRAMES, crops=3)
        found.append(crops.mean_by_clip(predict(network, crops, batch_size=8)))
    np.testing.assert_allclose(found[0].sum(axis=1), 1)
    assert (found[0].argmax(axis=1) == voices.labels[unseen]).mean() > 0.9
    np.testing.assert_array_equal(found[0], found[1])
