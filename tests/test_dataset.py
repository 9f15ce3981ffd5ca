"""From clips to parts and arrays: nothing of a test speaker may reach the training."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, language
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.preprocessing import MinMaxScaler

from voicetraits.dataset.parts import PARTS, TEST, TRAINING, VALIDATION, encode, prepare
from voicetraits.dataset.scaling import Scaling, fit_scaling
from voicetraits.dataset.split import assign_parts, given_parts, why_not
from voicetraits.dataset.undersampling import choose
from voicetraits.params import Protocol, Split

LOCALES = ("de", "en", "es")
LANGUAGE = language(list(LOCALES))
SPLIT = Split(test=0.3, validation=0.2, min_speakers=4, left_out=[])
HONEST = Protocol(split_by="speaker", undersample="training", scale="training")


def clips_of(speakers: list[tuple[str, str, dict[str, int]]]) -> pd.DataFrame:
    """An index from (speaker, gender, clips by locale)."""
    rows = [
        (f"{speaker}_{locale}_{number}.mp3", locale, speaker, gender)
        for speaker, gender, locales in speakers
        for locale, count in locales.items()
        for number in range(count)
    ]
    return pd.DataFrame(rows, columns=["clip", "locale", "speaker", "gender"], dtype=str)


def plain(males: int, females: int, *, clips: int = 3) -> pd.DataFrame:
    """Labelled clips of one locale."""
    speakers = [(f"m{n}", "male", {"es": clips}) for n in range(males)]
    speakers += [(f"f{n}", "female", {"es": clips}) for n in range(females)]
    return GENDER.labelled(clips_of(speakers))


@st.composite
def indices(draw) -> pd.DataFrame:
    """Any mixture of genders, locales, clips a speaker, and speakers of several locales."""
    genders = draw(st.lists(st.sampled_from(["male", "female", ""]), min_size=0, max_size=40))
    some = st.dictionaries(st.sampled_from(LOCALES), st.integers(1, 4), min_size=1, max_size=2)
    return clips_of([(f"s{n:02}", gender, draw(some)) for n, gender in enumerate(genders)])


splits = st.builds(
    Split,
    test=st.floats(0.01, 0.99),
    validation=st.floats(0.01, 0.99),
    min_speakers=st.integers(3, 6),
)


@settings(deadline=None, max_examples=60)
@given(
    indices(),
    st.sampled_from([GENDER, LANGUAGE]),
    splits,
    st.sampled_from(["speaker", "clip"]),
    st.integers(0, 2**32 - 1),
)
def test_parts_are_apart_and_whole_for_any_corpus(index, task, split, by, seed):
    clips = task.labelled(index)
    found = assign_parts(clips, task, split, by=by, seed=seed)
    pd.testing.assert_frame_equal(found.drop(columns="part"), clips)
    reason = why_not(found, task, split, by=by)
    if reason:
        assert set(found["part"]) <= {""}
        assert f"{by}s, {split.min_speakers} of each needed" in reason
        return
    assert set(found["part"]) == set(PARTS)
    if by == "speaker":
        assert (found.groupby("speaker")["part"].nunique() == 1).all()
    # Every class is in every part, so that it can be learned, watched and tested.
    assert (found.groupby("part")["label"].nunique() == len(task.classes)).all()


@settings(deadline=None, max_examples=25)
@given(indices(), st.sampled_from([GENDER, LANGUAGE]), st.integers(0, 99), st.randoms())
def test_the_parts_do_not_depend_on_the_order_of_the_rows(index, task, seed, random):
    clips = task.labelled(index)
    order = list(range(len(clips)))
    random.shuffle(order)
    for by in ("speaker", "clip"):
        once = assign_parts(clips, task, SPLIT, by=by, seed=seed)
        shuffled = assign_parts(clips.iloc[order], task, SPLIT, by=by, seed=seed)
        pd.testing.assert_frame_equal(shuffled.sort_index(), once)


def test_the_seed_decides_who_is_in_which_part():
    clips = plain(20, 10)
    drawn = [assign_parts(clips, GENDER, SPLIT, by="speaker", seed=s)["part"] for s in (1, 1, 2)]
    assert (drawn[0] == drawn[1]).all()
    assert (drawn[0] != drawn[2]).any()


@pytest.mark.parametrize(("males", "females"), [(50, 20), (40, 40), (7, 4)])
def test_each_class_is_shared_out_as_the_parameters_say(males, females):
    parts = assign_parts(plain(males, females), GENDER, SPLIT, by="speaker", seed=0)
    for label, speakers in (("male", males), ("female", females)):
        found = parts[parts["label"] == label].groupby("part")["speaker"].nunique()
        assert abs(found[TEST] - 0.3 * speakers) <= 0.5
        assert abs(found[VALIDATION] - 0.2 * (speakers - found[TEST])) <= 0.5
        assert found.sum() == speakers


def test_by_clip_shares_out_the_clips_and_splits_speakers():
    parts = assign_parts(plain(10, 5, clips=10), GENDER, SPLIT, by="clip", seed=0)
    assert (parts["part"] == TEST).mean() == pytest.approx(0.3, abs=0.01)
    assert (parts.groupby("speaker")["part"].nunique() > 1).any()


def test_by_clip_keeps_clips_of_one_name_in_two_locales_apart():
    clips = clips_of([(f"s{n}", "male", {"es": 1}) for n in range(40)])
    clips = pd.concat([clips, clips.assign(locale="en")], ignore_index=True)
    task = language(["en", "es"])
    parts = assign_parts(task.labelled(clips), task, SPLIT, by="clip", seed=0)
    assert (parts.groupby("clip")["part"].nunique() > 1).any()
    assert why_not(parts, task, SPLIT, by="clip") == ""


def test_a_speaker_of_two_locales_stays_in_one_part():
    both = [(f"both{n}", "male", {"es": 1 + n % 2, "en": 2 - n % 2}) for n in range(10)]
    others = [(f"{locale}{n}", "male", {locale: 3}) for locale in ("es", "en") for n in range(8)]
    task = language(["es", "en"])
    parts = assign_parts(task.labelled(clips_of(both + others)), task, SPLIT, by="speaker", seed=0)
    assert (parts.groupby("speaker")["part"].nunique() == 1).all()
    assert set(parts["part"]) == set(PARTS)


@pytest.mark.parametrize(
    ("clips", "reason"),
    [
        (plain(9, 3), "9 male, 3 female speakers, 4 of each needed"),
        (plain(9, 0), "9 male, 0 female speakers, 4 of each needed"),
        (plain(0, 0), "0 male, 0 female speakers, 4 of each needed"),
    ],
)
def test_too_few_speakers_give_no_parts_and_say_how_many_there_are(clips, reason):
    parts = assign_parts(clips, GENDER, SPLIT, by="speaker", seed=0)
    assert set(parts["part"]) <= {""}
    assert why_not(parts, GENDER, SPLIT, by="speaker") == reason


def test_a_speaker_with_two_labels_is_counted_once_and_under_the_more_frequent():
    clips = plain(4, 3)
    changed = clips_of([("x", "male", {"es": 2}), ("x", "female", {"en": 3})])
    clips = GENDER.labelled(pd.concat([clips.drop(columns="label"), changed]))
    parts = assign_parts(clips, GENDER, SPLIT, by="speaker", seed=0)
    assert why_not(parts, GENDER, SPLIT, by="speaker") == ""
    assert parts.loc[parts["speaker"] == "x", "part"].nunique() == 1
    five = SPLIT.model_copy(update={"min_speakers": 5})
    parts = assign_parts(clips, GENDER, five, by="speaker", seed=0)
    reason = why_not(parts, GENDER, five, by="speaker")
    assert reason == "4 male, 4 female speakers, 5 of each needed"


def test_one_locale_alone_has_no_language_to_tell():
    task = language(["es"])
    clips = task.labelled(clips_of([(f"s{n}", "male", {"es": 2}) for n in range(20)]))
    parts = assign_parts(clips, task, SPLIT, by="speaker", seed=0)
    assert set(parts["part"]) == {""}
    assert why_not(parts, task, SPLIT, by="speaker") == "language needs two classes, found es"


def with_parts(**speakers: str) -> pd.DataFrame:
    """Labelled clips of the gender task: a clip per letter of each speaker, in the part it names.

    A speaker whose name begins with m is male, the others are female.
    """
    parts = {"a": TRAINING, "b": VALIDATION, "c": TEST}
    rows = [
        (f"{name}{n}.mp3", "es", name, "male" if name[0] == "m" else "female", parts[letter])
        for name, letters in speakers.items()
        for n, letter in enumerate(letters)
    ]
    columns = ["clip", "locale", "speaker", "gender", "part"]
    return GENDER.labelled(pd.DataFrame(rows, columns=columns, dtype=str))


APART = {"m1": "aa", "m2": "b", "m3": "c", "m4": "a", "f1": "a", "f2": "bb", "f3": "c", "f4": "c"}


@pytest.mark.parametrize("by", ["speaker", "clip"])
def test_given_parts_of_speakers_kept_apart_are_taken_as_they_are(by):
    clips = with_parts(**APART)
    parts = given_parts(clips, GENDER, SPLIT, by=by)
    pd.testing.assert_frame_equal(parts, clips)
    assert why_not(parts, GENDER, SPLIT, by=by) == ""


@pytest.mark.parametrize(
    ("letters", "kept"), [("abc", "c"), ("acac", "cc"), ("ab", "b"), ("cbb", "c"), ("aa", "aa")]
)
def test_a_speaker_in_several_given_parts_keeps_the_one_that_matters_most(letters, kept):
    clips = with_parts(**APART, mixed=letters)
    parts = given_parts(clips, GENDER, SPLIT, by="speaker")
    assert (parts.groupby("speaker")["part"].nunique() == 1).all()
    initial = {"a": TRAINING, "b": VALIDATION, "c": TEST}
    assert parts.loc[parts["speaker"] == "mixed", "part"].tolist() == [initial[k] for k in kept]
    assert len(parts) == len(clips) - len(letters) + len(kept)
    assert parts.index.tolist() == list(range(len(parts)))
    # By clip, that is the user's own wish.
    assert len(given_parts(clips, GENDER, SPLIT, by="clip")) == len(clips)


def test_given_parts_without_a_class_or_with_too_few_speakers_say_so():
    clips = with_parts(**{**APART, "f2": "aa"})
    parts = given_parts(clips, GENDER, SPLIT, by="speaker")
    reason = why_not(parts, GENDER, SPLIT, by="speaker")
    assert reason == "no female clips in validation"
    parts = given_parts(with_parts(m1="abc", f1="abc"), GENDER, SPLIT, by="speaker")
    assert set(parts["part"]) == {""}
    reason = why_not(parts, GENDER, SPLIT, by="speaker")
    assert reason == "1 male, 1 female speakers, 4 of each needed"


def test_a_task_takes_the_clips_that_carry_its_label():
    index = clips_of([("a", "male", {"es": 1}), ("b", "other", {"en": 1}), ("c", "", {"fr": 1})])
    assert GENDER.labelled(index)["label"].tolist() == ["male"]
    labelled = language(["en", "es"]).labelled(index)
    assert labelled["label"].tolist() == ["es", "en"]
    assert labelled.index.tolist() == [0, 1]
    assert language(["es", "en"]) == language(["en", "es"])


@pytest.fixture(scope="module")
def gender_split():
    """A split with twice as many clips of male voices, and arrays, small and in no scale."""
    clips = assign_parts(plain(20, 10), GENDER, SPLIT, by="speaker", seed=0)
    rng = np.random.default_rng(0)
    arrays = rng.normal(5, 30, (len(clips), 68, 4)).astype(np.float32)
    return clips, arrays


def prepared(clips: pd.DataFrame, arrays: np.ndarray, protocol: Protocol) -> tuple[dict, Scaling]:
    """Parts and scaling of what undersampling leaves."""
    kept = choose(clips, arrays, GENDER, protocol, selection_clips=0, seed=0)
    return prepare(clips.iloc[kept], arrays[kept], GENDER, protocol)


def scaled(arrays: np.ndarray, scaling: Scaling) -> np.ndarray:
    """What the first layer of a network makes of clips."""
    return (arrays - scaling.low) * scaling.scale


def test_clips_arrays_and_labels_stay_together(gender_split):
    clips, arrays = gender_split
    parts, _ = prepared(clips, arrays, HONEST)
    of_clip = dict(zip(clips["clip"], arrays, strict=True))
    for part in parts.values():
        expected = np.stack([of_clip[clip] for clip in part.clips["clip"]])
        assert part.arrays.shape == (len(part.clips), 68, 4)
        np.testing.assert_array_equal(part.arrays[:], expected)
        some = np.array([3, 0, 3, 2])
        np.testing.assert_array_equal(part.arrays[some], expected[some])
        assert [GENDER.classes[label] for label in part.labels] == list(part.clips["label"])


def test_nothing_of_validation_and_test_reaches_the_training(gender_split):
    clips, arrays = gender_split
    elsewhere = arrays.copy()
    elsewhere[(clips["part"] != TRAINING).to_numpy()] = 1e6
    found = [prepared(clips, given, HONEST) for given in (arrays, elsewhere)]
    (parts, scaling), (changed_parts, changed) = found
    np.testing.assert_array_equal(changed.low, scaling.low)
    np.testing.assert_array_equal(changed.scale, scaling.scale)
    np.testing.assert_array_equal(changed_parts[TRAINING].arrays[:], parts[TRAINING].arrays[:])
    assert changed_parts[TEST].arrays[:].min() == 1e6  # the change was there to be seen


def test_the_scaling_is_fitted_on_what_undersampling_has_left_of_the_training(gender_split):
    parts, scaling = prepared(*gender_split, HONEST)
    found = scaled(parts[TRAINING].arrays[:], scaling)
    np.testing.assert_allclose(found.min(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(found.max(axis=0), 1, atol=1e-5)


def test_scaling_everything_fits_on_all_parts(gender_split):
    clips, arrays = gender_split
    protocol = HONEST.model_copy(update={"scale": "everything"})
    parts, scaling = prepared(clips, arrays, protocol)
    together = np.concatenate([scaled(part.arrays[:], scaling) for part in parts.values()])
    np.testing.assert_allclose(together.min(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(together.max(axis=0), 1, atol=1e-5)
    honest, of_training = prepared(clips, arrays, HONEST)
    assert scaled(honest[TEST].arrays[:], of_training).max() > 1.01


def test_undersampling_everything_and_scaling_everything_fits_on_what_is_kept(gender_split):
    clips, arrays = gender_split
    protocol = Protocol(split_by="clip", undersample="everything", scale="everything")
    parts, scaling = prepared(clips, arrays, protocol)
    kept = fit_scaling(np.concatenate([part.arrays[:] for part in parts.values()]))
    np.testing.assert_allclose(scaling.low, kept.low, rtol=1e-6)
    np.testing.assert_allclose(scaling.scale, kept.scale, rtol=1e-6)


def test_the_scaling_is_scikit_learns():
    rng = np.random.default_rng(0)
    sizes = 10.0 ** rng.integers(-3, 5, (68, 5))
    arrays = (rng.normal(0, 1, (40, 68, 5)) * sizes).astype(np.float32)
    arrays[:, 3] = 7  # values that never change
    fitted_on, others = arrays[:25], arrays[25:]
    scaling = fit_scaling(fitted_on)
    theirs = MinMaxScaler().fit(fitted_on.reshape(25, -1))
    for clips in (fitted_on, others):
        expected = theirs.transform(clips.reshape(len(clips), -1)).reshape(len(clips), 68, 5)
        np.testing.assert_allclose(scaled(clips, scaling), expected, atol=1e-5)
    found = scaled(fitted_on, scaling)
    assert found.min() > -1e-5
    assert found.max() < 1 + 1e-5


def test_class_numbers_follow_the_order_of_the_task_and_not_of_the_alphabet():
    assert encode(np.array(["female", "male", "female"]), GENDER).tolist() == [1, 0, 1]
    assert encode(np.array(["es", "de", "en", "es"]), LANGUAGE).tolist() == [2, 0, 1, 2]
    with pytest.raises(ValueError, match="other"):
        encode(np.array(["male", "other"]), GENDER)
