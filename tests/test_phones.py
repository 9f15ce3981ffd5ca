"""Phones: from sentences to numbers, from numbers to batches, from batches to weights."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import COMMITTED, NOISE_ALONE

from voicetraits.networks.backend import keras  # isort: skip  (sets JAX up)

from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.errors import InputError
from voicetraits.networks import build
from voicetraits.networks.tdnn import frames_of
from voicetraits.sample.espeak import language_of, phones, prepare_data
from voicetraits.sample.phones import phone_numbers
from voicetraits.tasks import Task
from voicetraits.training import phones as training
from voicetraits.training.fit_frames import fit_frames
from voicetraits.training.phones import PhoneBatches, fit_phones

TASK = Task("language", "language", ("a", "b"), {"a": "a", "b": "b"}, "random", ())


@pytest.mark.parametrize(
    ("language", "text", "expected"),
    [
        ("es", "¡Hola, señor! Sí.", "o l a s e ɲ o ɾ s i"),
        ("fr", "un bon vin", "œ̃ b ɔ̃ v ɛ̃"),
        ("de", "Das Team", "d a s t i m"),  # espeak-ng marks the English word with (en)
        ("es", "", ""),
    ],
)
def test_phones_have_neither_stress_nor_length(tmp_path, language, text, expected):
    prepare_data(tmp_path, language=language, variants={})
    assert phones([text, text], voice=language, data=tmp_path) == [expected.split()] * 2


@pytest.mark.parametrize(
    ("locale", "language"),
    [("de", "de"), ("sv-SE", "sv"), ("eu", "eu"), ("zh-CN", "cmn"), ("kab", "")],
)
def test_a_locale_is_in_a_language_of_espeak_or_in_none(locale, language):
    assert language_of(locale) == language


def test_clips_in_a_language_that_espeak_does_not_know_have_no_phones(monkeypatch, capsys):
    monkeypatch.setattr("voicetraits.sample.phones._SELDOM", 1)
    clips = pd.DataFrame({"sentence": ["azul", "Kaixo", ""], "locale": ["kab", "eu", "kab"]})
    unknown, known, silent = phone_numbers(clips)
    assert (unknown, silent) == ([], []) and len(known) > 2
    assert capsys.readouterr().err.count("kab: no language of espeak-ng") == 1


@pytest.mark.parametrize(
    ("locale", "read", "unread"),
    [
        ("de", "Guten Tag.", "Солярис heißt er."),
        ("ru", "Добрый день", "Это foto"),
        ("ja", "こんにちは、せかい。", "私は行きます"),
        ("zh-CN", "我去学校", ""),
    ],
)
def test_a_sentence_in_a_script_that_is_not_read_teaches_no_phones(
    monkeypatch, capfd, locale, read, unread
):
    monkeypatch.setattr("voicetraits.sample.phones._SELDOM", 1)
    sentences = [*[f"{read} {n}" for n in range(30)], *([unread] if unread else [])]
    found = phone_numbers(pd.DataFrame({"sentence": sentences, "locale": locale}))
    assert all(found[:30]) and not any(found[30:])
    told = capfd.readouterr().err
    assert (f"{locale}: 1 of 31 sentences" in told) == bool(unread)
    assert "Can't read" not in told  # as espeak-ng does, of another script's dictionary


def test_seldom_phones_have_no_number_of_their_own(monkeypatch):
    voices = []

    def read(texts, *, voice, data):
        voices.append(voice)
        return [text.split() for text in texts]

    monkeypatch.setattr("voicetraits.sample.phones._SELDOM", 3)
    monkeypatch.setattr("voicetraits.sample.espeak.phones", read)
    clips = pd.DataFrame(
        {"sentence": ["m a", "a p m", "ai m a", "q"], "locale": ["de", "en", "de", "fr"]},
        index=[7, 3, 5, 1],
    )
    # Seldom ones count as their first letter: "ai" as "a", "p" and "q" as nothing.
    found = phone_numbers(clips)
    assert found in ([[1, 2], [2, 1], [2, 1, 2], []], [[2, 1], [1, 2], [1, 2, 1], []])
    assert voices == ["de", "en-us", "fr"]


class Clips:
    """Clips whose phone n sounds for six frames in a block of four bands."""

    bands = 16

    def __init__(self, spoken: list[list[int]], lengths: list[int] | None = None) -> None:
        self.lengths = lengths or [6 * len(each) for each in spoken]
        self._spoken = spoken

    def __len__(self) -> int:
        return len(self.lengths)

    def length(self, clip: int) -> int:
        return self.lengths[clip]

    def crop(self, clip: int, start: int, length: int) -> np.ndarray:
        sound = np.full((self.lengths[clip], self.bands), -1, np.float32)
        for number, phone in enumerate(self._spoken[clip]):
            sound[6 * number : 6 * number + 6, 4 * phone : 4 * phone + 4] = 3
        places = (start + np.arange(length)) % self.lengths[clip]
        return sound[places]


def batches(spoken: list[list[int]], lengths: list[int], **options: object) -> PhoneBatches:
    places = np.arange(len(spoken))
    options = {"weights": np.ones(len(spoken)), "steps": 3, "frames": 1024, **options}
    return PhoneBatches(Clips(spoken, lengths), spoken, places, stride=2, seed=1, **options)


def test_a_batch_holds_whole_clips_with_their_phones():
    spoken = [[1, 2], [2, 2, 3]]
    made = batches(spoken, [12, 19])
    inputs, targets = made[0]
    assert inputs.shape == (4, 16, 256) and targets.shape == (4, 2 + 4)
    for clip, target in zip(inputs, targets, strict=True):
        count, frames = target[:2].astype(int)
        number = {2: 0, 3: 1}[count]
        assert frames == {0: 6, 1: 10}[number]
        assert target[2 : 2 + count].tolist() == spoken[number]
        assert not target[2 + count :].any()
        length = (12, 19)[number]
        np.testing.assert_array_equal(
            clip[:, :length].T, Clips(spoken, [12, 19]).crop(number, 0, length)
        )
        assert not clip[:, length:].any()


def test_clips_without_room_for_their_phones_are_never_drawn():
    # Of no phones; longer than all; 3 frames of the network, for three phones and one between.
    spoken = [[], [1, 2], [1, 1, 2], [3, 1]]
    made = batches(spoken, [30, 801, 6, 3])
    for number in range(3):
        assert made[number][1][:, 2:4].tolist() == [[3, 1]] * 4
    assert (made.clips, len(made)) == (1, 3)
    none = batches([[1, 1]], [4])
    assert (none.clips, len(none)) == (0, 0)


def test_batches_depend_on_the_pass_and_weights_say_what_is_drawn():
    spoken, lengths = [[1], [2], [3]], [20, 300, 20]
    made, again = (batches(spoken, lengths, weights=np.array([1.0, 1.0, 0.0])) for _ in range(2))
    first = [made[number][1] for number in range(3)]
    made.on_epoch_end()
    assert any(not np.array_equal(made[n][1], first[n]) for n in range(3))
    np.testing.assert_array_equal(again[1][1], first[1])
    seen = {int(target[2]) for _ in range(30) for n in range(3) for target in made[n][1]}
    assert seen <= {1, 2}
    still = batches(spoken, lengths, anew=False)
    before = still[0][1]
    still.on_epoch_end()
    np.testing.assert_array_equal(still[0][1], before)


TINY = COMMITTED.frames.model_copy(
    update={"crop": 24, "batch_size": 8, "passes": 1, "steps": 1, "warmup": 5, "phones": 90}
    | NOISE_ALONE
)


@pytest.mark.parametrize("network", ["tdnn", "other"])
def test_where_no_phone_can_be_learned_the_key_is_named(tmp_path, monkeypatch, network):
    spoken: list[list[int]] = [[], []]
    places = {TRAINING: np.array([0]), VALIDATION: np.array([1])}
    if network == "other":
        spoken, layers = (
            [[1], [1]],
            keras.Sequential([keras.Input((16, None)), keras.layers.ReLU()]),
        )
        monkeypatch.setattr(training, "build", lambda *_, **__: layers)
    told = {
        "tdnn": "no clip of the training part teaches",
        "other": "'other' has no layer 'frames'",
    }
    with pytest.raises(InputError, match=rf"frames\.phones.*{told[network]}.*set it to 0"):
        fit_phones(
            *(network, TASK, Clips(spoken, [30, 30]), spoken, places, np.ones(1), TINY),
            **{"seed": 3, "label": "a", "live_folder": tmp_path},
        )


@pytest.mark.slow
def test_a_network_learns_phones_and_another_begins_with_what_it_knows(tmp_path, monkeypatch):
    monkeypatch.setattr(training, "LENGTHS", np.array([24, 48]))
    monkeypatch.setattr(training, "STEPS_OF_A_PASS", 20)
    rng = np.random.default_rng(0)
    spoken = [rng.integers(1, 4, rng.integers(3, 8)).tolist() for _ in range(40)]
    clips = Clips(spoken)
    spoken[36:] = [[], [], [], []]  # so the training part is watched
    places = {TRAINING: np.arange(36), VALIDATION: np.arange(36, 40)}
    shared = {"seed": 3, "label": "a"}
    weights = fit_phones(
        *("tdnn", TASK, clips, spoken, places, np.ones(36), TINY),
        **shared,
        live_folder=tmp_path,
    )
    losses = losses_in(tmp_path / "phones")
    assert len(losses) == 5  # whole passes
    assert losses[-1] < 0.5 * losses[0]
    fresh = frames_of(build("tdnn", (16, None), TASK.heads, seed=3)).get_weights()
    assert any(np.abs(one - other).max() > 0.01 for one, other in zip(weights, fresh, strict=True))

    network = fit_frames(
        *("tdnn_context", TASK, clips, [np.arange(40) % 2], places, [0] * 40),
        TINY.model_copy(update={"ensemble": 2}),
        **shared,
        live_folder=tmp_path / "language",
        begin=weights,
    )
    members = [layer for layer in network.layers if isinstance(layer, keras.Model)]
    for member, seed in zip(members, (3, 1003), strict=True):
        for one, other in zip(frames_of(member).get_weights(), weights, strict=True):
            np.testing.assert_array_equal(one, other)
        fresh = build("tdnn_context", (16, None), TASK.heads, seed=seed)
        known = len(frames_of(fresh).trainable_weights)
        others = fresh.trainable_weights[known:]
        assert len(member.trainable_weights) == len(others)
        moved = [
            np.abs(np.asarray(one) - np.asarray(other)).max()
            for one, other in zip(member.trainable_weights, others, strict=True)
        ]
        assert np.median(moved) > 1e-3


def losses_in(folder: Path) -> list[float]:
    table = pd.read_csv(folder / "plots/metrics/training/loss.tsv", sep="\t")
    return list(table["loss"])
