"""Scores of parts of the test clips, and of models on the clips of others."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, language
from sklearn.metrics import balanced_accuracy_score

from voicetraits.corpus.labels import AGES
from voicetraits.evaluation.across import LocaleClips, LocaleModel, across_records
from voicetraits.evaluation.intervals import ENOUGH_SPEAKERS, Judged, balanced_accuracy_interval
from voicetraits.evaluation.scores import score
from voicetraits.evaluation.slices import NOT_GIVEN, OTHERS, slice_names, slice_records

LANGUAGE = language(["es", "en", "fr", "de"])


def case(*, speakers: int = 40, clips: int = 5) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions that are right in four of five clips, and speakers."""
    rng = np.random.default_rng(0)
    speaker = np.repeat(np.arange(speakers), clips)
    labels = speaker % 2
    predicted = np.where(rng.random(len(labels)) < 0.8, labels, 1 - labels)
    return labels, predicted, np.array([f"s{n:03}" for n in speaker])


def test_a_score_is_that_of_scikit_learn_with_the_interval_by_speaker() -> None:
    labels, predicted, speakers = case()
    found = score(labels, predicted, speakers, GENDER, seed=3)
    assert found.value == round(balanced_accuracy_score(labels, predicted), 4)
    interval = balanced_accuracy_interval([Judged(labels, predicted, speakers)], [0, 1], seed=3)
    assert (found.low, found.high) == interval
    assert (found.classes, found.clips, found.speakers) == (2, 200, 40)
    assert (found.few, found.note) == (False, "")


def test_a_class_that_is_not_there_is_left_out_and_is_wrong_when_predicted() -> None:
    labels = np.array([1, 1, 1, 1, 3, 3])
    predicted = np.array([1, 1, 0, 2, 3, 1])
    speakers = np.array(["a", "b", "c", "d", "e", "f"])
    found = score(labels, predicted, speakers, LANGUAGE, seed=0)
    assert found.value == (2 / 4 + 1 / 2) / 2
    assert found.classes == 2
    assert found.low is not None
    assert found.low <= found.value <= found.high
    assert found.note == "0 speakers of de: too few"
    chosen = score(labels, predicted, speakers, LANGUAGE, seed=0, classes_by_choice=True)
    assert chosen.note == "2 speakers of fr: too few"


def test_one_speaker_of_a_class_has_no_interval() -> None:
    labels, predicted = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    found = score(labels, predicted, np.array(["a", "b", "c", "c"]), GENDER, seed=0)
    assert (found.value, found.low, found.high, found.few) == (0.75, None, None, True)


def test_slices_hold_the_clips_that_share_an_attribute() -> None:
    labels, predicted, speakers = case()
    young = np.arange(len(labels)) % 10 < 5
    table = pd.DataFrame({"age": np.where(young, "twenties", "")})
    records = slice_records(labels, predicted, speakers, table, GENDER, seed=0)
    assert [(r["attribute"], r["slice"]) for r in records] == [
        ("age", "twenties"),
        ("age", NOT_GIVEN),
    ]
    for record, here in zip(records, (young, ~young), strict=True):
        expected = score(labels[here], predicted[here], speakers[here], GENDER, seed=0)
        assert record == {**expected._asdict(), **{k: record[k] for k in ("attribute", "slice")}}


def test_a_slice_with_few_speakers_of_a_class_is_flagged() -> None:
    labels, predicted, speakers = case()
    number = np.array([int(name[1:]) for name in speakers])
    few = number < 2 * ENOUGH_SPEAKERS - 1
    table = pd.DataFrame({"source": np.where(few, "small", "large")})
    records = slice_records(labels, predicted, speakers, table, GENDER, seed=0)
    assert {r["slice"]: (r["few"], r["note"]) for r in records} == {
        "large": (False, ""),
        "small": (True, "9 speakers labelled female: too few"),
    }


def test_a_slice_by_the_label_itself_has_one_class_and_is_no_less_sure_for_that() -> None:
    labels = np.repeat(np.arange(4), 30)
    speakers = np.array([f"s{n // 2:02}" for n in range(120)])
    table = pd.DataFrame({"locale": np.array(LANGUAGE.classes)[labels]})
    records = slice_records(labels, labels, speakers, table, LANGUAGE, seed=0)
    assert {(r["classes"], r["few"]) for r in records} == {(1, False)}


def test_an_attribute_that_divides_nothing_has_no_records() -> None:
    labels, predicted, speakers = case()
    table = pd.DataFrame({"source": [""] * 200, "age": ["teens"] * 200, "clip": np.arange(200)})
    assert slice_records(labels, predicted, speakers, table, GENDER, seed=0) == []


def test_attributes_of_other_clips_are_refused() -> None:
    with pytest.raises(ValueError, match="attributes of 3 clips, and labels of 200"):
        slice_records(*case(), pd.DataFrame({"age": ["", "", ""]}), GENDER, seed=0)


def test_what_is_measured_is_cut_into_bins_in_their_order() -> None:
    names, order = slice_names(pd.Series([9.0, 1.99, 2.0, np.nan, 3.0]), "duration")
    assert list(names) == ["from 8 s", "below 2 s", "2 to 4 s", NOT_GIVEN, "2 to 4 s"]
    assert order == ["below 2 s", "2 to 4 s", "from 8 s", NOT_GIVEN]
    names, _ = slice_names(pd.Series([-60.0, -20.0]), "loudness")
    assert list(names) == ["below -45 dBFS", "-25 to -15 dBFS"]


def test_rare_accents_share_a_slice() -> None:
    values = pd.Series([f"accent {n}" for n in range(11) for _ in range(20 - n)] + [" ", None])
    names, order = slice_names(values, "accent")
    assert order == [*(f"accent {n}" for n in range(8)), OTHERS, NOT_GIVEN]
    assert (names == OTHERS).sum() == 12 + 11 + 10


def test_ages_are_all_kept_in_the_order_of_life() -> None:
    values = pd.Series([*AGES[::-1], *["fourties"] * 3, "", "unheard of"])
    names, order = slice_names(values, "age")
    assert order == [*AGES, OTHERS, NOT_GIVEN]
    assert (names == "fourties").sum() == 4


def test_every_model_meets_the_clips_of_every_locale_but_of_speakers_it_knows() -> None:
    labels, _, speakers = case()
    second = speakers.astype(object) + "'"
    clips = {
        "es": LocaleClips(labels, speakers, labels[:, None] * 1.0),
        "en": LocaleClips(labels, np.where(labels == 0, speakers, second), labels[:, None] * 1.0),
    }

    def right(inputs: np.ndarray) -> np.ndarray:
        return np.hstack([1 - inputs, inputs])

    def always_first(inputs: np.ndarray) -> np.ndarray:
        return np.tile([0.9, 0.1], (len(inputs), 1))

    models = {
        "es": LocaleModel(right, {"s000", "s001'"}),
        "en": LocaleModel(always_first, set()),
    }
    records = across_records(models, clips, GENDER, seed=0)
    assert [(r["trained_on"], r["tested_on"], r["value"], r["clips"]) for r in records] == [
        ("es", "es", 1.0, 195),
        ("es", "en", 1.0, 190),
        ("en", "es", 0.5, 200),
        ("en", "en", 0.5, 200),
    ]


def test_a_model_that_knows_all_speakers_of_a_locale_is_not_tested_on_it() -> None:
    labels, _, speakers = case()
    clips = {"es": LocaleClips(labels, speakers, labels[:, None])}
    knows_all = LocaleModel(lambda inputs: np.eye(2)[inputs[:, 0]], set(speakers))
    assert across_records({"fr": knows_all}, clips, GENDER, seed=0) == []
