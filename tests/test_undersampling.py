"""Undersampling: balanced, of the training part alone, and imbalanced-learn's own choice."""

from __future__ import annotations

import warnings

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, language
from hypothesis import given, settings
from hypothesis import strategies as st
from imblearn.under_sampling import OneSidedSelection

from voicetraits.dataset.parts import PARTS, TEST, TRAINING, VALIDATION
from voicetraits.dataset.undersampling import choose, undersample
from voicetraits.params import Protocol

LANGUAGE = language(["de", "en", "es"])
HONEST = Protocol(split_by="speaker", undersample="training", scale="training")
EVERYTHING = HONEST.model_copy(update={"undersample": "everything"})


class NeverRead:
    """Arrays of a method that has no use for them."""

    def __init__(self, clips: int) -> None:
        self.shape = (clips, 68, 4)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, places):
        raise AssertionError("read without need")


class Recorded:
    """Arrays that keep what has been asked of them."""

    def __init__(self, arrays: np.ndarray) -> None:
        self.arrays, self.shape = arrays, arrays.shape
        self.asked: list[int] = []

    def __len__(self) -> int:
        return len(self.arrays)

    def __getitem__(self, places):
        self.asked += places.tolist()
        return self.arrays[places]


def table(counts: dict[str, dict[str, int]], *, seed: int = 0) -> pd.DataFrame:
    """A split table, shuffled, of so many clips by part and label."""
    rows = [(part, label) for part in PARTS for label, n in counts[part].items() for _ in range(n)]
    clips = pd.DataFrame(rows, columns=["part", "label"])
    clips["clip"] = [f"{n}.mp3" for n in range(len(clips))]
    return clips.sample(frac=1, random_state=seed).reset_index(drop=True)


GENDER_CLIPS = table(
    {
        TRAINING: {"male": 30, "female": 12},
        VALIDATION: {"male": 7, "female": 4},
        TEST: {"male": 5, "female": 9},
    }
)


def chosen(clips, arrays, task, protocol, *, seed=0, selection_clips=10_000) -> pd.DataFrame:
    """The rows of the table that stay; that they are in order, each once."""
    places = choose(clips, arrays, task, protocol, selection_clips=selection_clips, seed=seed)
    assert (np.diff(places) > 0).all()
    return clips.iloc[places]


def counts(clips: pd.DataFrame) -> dict[str, int]:
    return clips["label"].value_counts().to_dict()


def theirs(arrays: np.ndarray, labels: np.ndarray, *, seed: int) -> list[int]:
    """What imbalanced-learn keeps."""
    sampler = OneSidedSelection(random_state=seed)
    sampler.fit_resample(arrays.reshape(len(arrays), -1), labels)
    return sorted(sampler.sample_indices_.tolist())


def test_training_alone_is_balanced_and_the_others_keep_their_distribution():
    kept = chosen(GENDER_CLIPS, NeverRead(67), GENDER, HONEST)
    by_part = {part: counts(rows) for part, rows in kept.groupby("part")}
    assert by_part == {
        TRAINING: {"male": 12, "female": 12},
        VALIDATION: {"male": 7, "female": 4},
        TEST: {"male": 5, "female": 9},
    }


def test_everything_balances_all_parts_together():
    kept = chosen(GENDER_CLIPS, NeverRead(67), GENDER, EVERYTHING)
    assert counts(kept) == {"male": 25, "female": 25}
    assert len(kept[kept["part"] == TEST]) < 14


def test_the_same_seed_keeps_the_same_clips():
    kept = [
        chosen(GENDER_CLIPS, NeverRead(67), GENDER, HONEST, seed=seed).index.tolist()
        for seed in (3, 3, 4)
    ]
    assert kept[0] == kept[1]
    assert kept[0] != kept[2]


@pytest.fixture(scope="module")
def language_clips():
    clips = table(
        {
            TRAINING: {"de": 14, "en": 40, "es": 25},
            VALIDATION: {"de": 4, "en": 9, "es": 5},
            TEST: {"de": 6, "en": 12, "es": 8},
        }
    )
    rng = np.random.default_rng(0)
    middle = clips["label"].map({"de": 0.0, "en": 0.6, "es": 3.0}).to_numpy()
    return clips, rng.normal(middle[:, None, None], 1, (len(clips), 68, 2)).astype(np.float32)


def test_one_sided_selection_keeps_what_imbalanced_learn_keeps(language_clips):
    clips, arrays = language_clips
    labels = clips["label"].to_numpy()
    # The cap is no cap for as many clips as it says.
    kept = undersample(arrays, labels, LANGUAGE, selection_clips=len(labels), seed=7)
    assert kept.tolist() == theirs(arrays, labels, seed=7)
    assert len(kept) < len(labels)
    # The smallest class is never thinned.
    assert (labels[kept] == "de").sum() == (labels == "de").sum()


def test_one_sided_selection_sees_the_training_clips_alone(language_clips):
    clips, arrays = language_clips
    pool = np.flatnonzero(clips["part"] == TRAINING)
    recorded = Recorded(arrays)
    kept = chosen(clips, recorded, LANGUAGE, HONEST, seed=7)
    assert sorted(recorded.asked) == pool.tolist()
    expected = pool[theirs(arrays[pool], clips["label"].to_numpy()[pool], seed=7)]
    assert kept.index[kept["part"] == TRAINING].tolist() == expected.tolist()
    for part in (VALIDATION, TEST):
        assert (kept["part"] == part).sum() == (clips["part"] == part).sum()


# Cells of few values: clips that are equal, and many at the same distance.
small = st.lists(
    st.tuples(st.sampled_from(["de", "en", "es"]), st.integers(0, 2), st.integers(0, 2)),
    min_size=2,
    max_size=40,
)


def cells_of(clips: list[tuple[str, int, int]]) -> tuple[np.ndarray, np.ndarray]:
    arrays = np.zeros((len(clips), 68, 1), np.float32)
    arrays[:, :2, 0] = [values for _, *values in clips]
    return arrays, np.array([label for label, *_ in clips], dtype=object)


@pytest.mark.slow
@settings(deadline=None, max_examples=150)
@given(small, st.integers(0, 2**32 - 1))
def test_any_few_clips_are_chosen_as_by_imbalanced_learn(clips, seed):
    arrays, labels = cells_of(clips)
    kept = undersample(arrays, labels, LANGUAGE, selection_clips=40, seed=seed)
    _, sizes = np.unique(labels, return_counts=True)
    if len(sizes) < 2 or np.sort(sizes)[1] == 1:
        # One class, or several of a single clip each: imbalanced-learn refuses them.
        with warnings.catch_warnings(), pytest.raises(ValueError):
            warnings.simplefilter("error")
            theirs(arrays, labels, seed=seed)
        return
    if (sizes == sizes.min()).sum() == 1:
        assert kept.tolist() == theirs(arrays, labels, seed=seed)
    # Class after class it gives what it should, whichever are the smallest.
    order = np.argsort(labels, kind="stable")
    expected = order[theirs(arrays[order], labels[order], seed=seed)]
    assert kept.tolist() == sorted(expected.tolist())


def test_two_smallest_classes_lose_no_more_in_one_order_of_the_clips_than_in_another():
    arrays = np.random.default_rng(0).normal(0, 1, (60, 68, 2)).astype(np.float32)
    labels = np.array(["es", "de", "en"]).repeat(20)
    kept = undersample(arrays, labels, LANGUAGE, selection_clips=60, seed=0)
    by_class = {str(name): int((labels[kept] == name).sum()) for name in LANGUAGE.classes}
    assert by_class["de"] == 20
    # imbalanced-learn itself leaves one clip of the class that happens to come first.
    assert (labels[theirs(arrays, labels, seed=0)] == "es").sum() == 1
    assert min(by_class.values()) > 5


@pytest.mark.parametrize("labels", [["de", "en", "es"], ["de", "en", "en", "es"]])
def test_classes_of_a_single_clip_keep_it(labels):
    arrays = np.random.default_rng(0).random((len(labels), 68, 2), dtype=np.float32)
    kept = undersample(arrays, np.array(labels), LANGUAGE, selection_clips=9, seed=0)
    assert set(np.array(labels)[kept]) == {"de", "en", "es"}


def test_more_clips_than_one_sided_selection_is_given_are_drawn_by_class(language_clips, capsys):
    clips, arrays = language_clips
    labels = clips["label"].to_numpy()
    assert counts(clips) == {"de": 24, "en": 61, "es": 38}
    recorded = Recorded(arrays)
    kept = undersample(recorded, labels, LANGUAGE, selection_clips=60, seed=7)
    drawn = np.sort(recorded.asked)
    assert len(set(drawn)) == len(drawn)
    assert counts(clips.iloc[drawn]) == {"de": 11, "en": 29, "es": 18}
    expected = drawn[theirs(arrays[drawn], labels[drawn], seed=7)]
    assert kept.tolist() == expected.tolist()
    assert capsys.readouterr().out == (
        "language: one-sided selection is given 58 of 123 clips, drawn at random in the same "
        "shares of every class; the others are not used (train.selection_clips)\n"
    )


def test_the_draw_depends_on_the_seed_and_keeps_every_class(language_clips):
    clips, arrays = language_clips
    labels = clips["label"].to_numpy()
    kept = [
        undersample(arrays, labels, LANGUAGE, selection_clips=40, seed=seed).tolist()
        for seed in (1, 1, 2)
    ]
    assert kept[0] == kept[1] != kept[2]
    few = undersample(arrays, labels, LANGUAGE, selection_clips=1, seed=1)
    assert sorted(labels[few]) == ["de", "en", "es"]


def test_below_the_cap_nothing_is_said(language_clips, capsys):
    clips, arrays = language_clips
    undersample(arrays, clips["label"].to_numpy(), LANGUAGE, selection_clips=len(clips), seed=7)
    assert capsys.readouterr().out == ""


def test_random_undersampling_keeps_each_clip_at_most_once():
    labels = np.array(["male"] * 50 + ["female"] * 20)
    kept = undersample(NeverRead(70), labels, GENDER, selection_clips=1, seed=0)
    assert (np.diff(kept) > 0).all()
    assert np.unique(labels[kept], return_counts=True)[1].tolist() == [20, 20]
    assert set(range(50, 70)) <= set(kept)


def test_one_class_alone_is_left_as_it_is():
    for task, label in ((GENDER, "male"), (LANGUAGE, "es")):
        kept = undersample(NeverRead(5), np.array([label] * 5), task, selection_clips=2, seed=0)
        assert kept.tolist() == [0, 1, 2, 3, 4]
