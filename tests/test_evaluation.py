"""Metrics against scikit-learn and by hand, intervals by speaker, and the baselines."""

from __future__ import annotations

import numpy as np
import pytest
from conftest import GENDER, language
from sklearn import metrics

from voicetraits.evaluation.intervals import (
    Judged,
    balanced_accuracy_interval,
    speakers_by_class,
    too_few_speakers,
)
from voicetraits.evaluation.metrics import Figure, collapsed, confusion, figures, roc_points
from voicetraits.training.baselines import (
    linear_baseline,
    majority_baseline,
    mean_and_deviation,
    one_number_baseline,
    pitch_baseline,
)

LANGUAGE = language(["es", "en", "fr", "de"])
TASKS = pytest.mark.parametrize("task", [GENDER, LANGUAGE], ids=["gender", "language"])


def random_case(task, *, clips: int = 200, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels, unevenly many of each class, and probabilities that lean towards them."""
    rng = np.random.default_rng(seed)
    classes = len(task.classes)
    labels = rng.choice(classes, size=clips, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    weights = rng.random((clips, classes)) + 0.5 * np.eye(classes)[labels]
    return labels, weights / weights.sum(axis=1, keepdims=True)


def draw_clips(rng, *, speakers: int, clips: int = 6) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Labels, predictions and speakers; every speaker has a hit rate of their own."""
    speaker = np.repeat(np.arange(speakers), clips)
    labels = speaker % 2
    hit = rng.random(len(labels)) < rng.choice([0.5, 0.9], speakers)[speaker]
    return labels, np.where(hit, labels, 1 - labels), np.array([f"s{n}" for n in speaker])


def values(found: list[Figure]) -> dict[str, float]:
    """Values by metric and class."""
    return {"_".join(filter(None, (metric, name))): value for metric, name, value in found}


@TASKS
def test_the_figures_are_those_of_scikit_learn(task):
    labels, probabilities = random_case(task)
    predicted = probabilities.argmax(axis=1)
    expected = {
        "loss": metrics.log_loss(labels, probabilities),
        "accuracy": metrics.accuracy_score(labels, predicted),
        "balanced_accuracy": metrics.balanced_accuracy_score(labels, predicted),
    }
    if task is GENDER:
        expected["f1"] = metrics.f1_score(labels, predicted)
        expected["roc_auc"] = metrics.roc_auc_score(labels, probabilities[:, 1])
    else:
        expected["macro_f1"] = metrics.f1_score(labels, predicted, average="macro")
        recalls = metrics.recall_score(labels, predicted, average=None)
        expected |= {f"recall_{n}": r for n, r in zip(task.classes, recalls, strict=True)}
    found = values(figures(labels, probabilities, task))
    assert found == pytest.approx(expected, abs=0.00005001)
    assert all(value == round(value, 4) for value in found.values())
    assert all(type(value) is float for value in found.values())


def test_the_f1_is_that_of_voices_labelled_female():
    assert GENDER.classes[1] == "female"
    # Two of three found, one false alarm: precision 2/3, recall 2/3. For the others: 1/2 and 1/2.
    labels = np.array([1, 1, 1, 0, 0])
    female = np.array([0.9, 0.6, 0.2, 0.7, 0.1])
    found = values(figures(labels, np.stack([1 - female, female], axis=1), GENDER))
    assert found["f1"] == 0.6667
    assert found["balanced_accuracy"] == round((2 / 3 + 1 / 2) / 2, 4)
    assert found["roc_auc"] == round(4 / 6, 4)


def test_one_sure_mistake_does_not_make_the_loss_infinite():
    found = values(figures(np.array([0, 1]), np.array([[1.0, 0.0], [1.0, 0.0]]), GENDER))
    assert found["loss"] == pytest.approx(-np.log(1e-7) / 2, abs=1e-3)


def test_a_perfect_model_scores_one_everywhere():
    labels = np.arange(40) % 4
    found = values(figures(labels, np.eye(4)[labels], LANGUAGE))
    assert found.pop("loss") == 0
    assert set(found.values()) == {1.0}


def test_figures_of_a_class_that_is_not_tested_are_refused():
    with pytest.raises(ValueError, match="no clips of female"):
        figures(np.zeros(9, int), np.full((9, 2), 0.5), GENDER)
    with pytest.raises(ValueError, match="no clips of es, fr"):
        figures(np.array([0, 1]), np.full((2, 4), 0.25), LANGUAGE)


def test_the_speakers_of_every_class_are_counted():
    labels = np.array([0, 0, 0, 1, 1, 0])
    speakers = np.array(["a", "a", "b", "c", "a", "d"])
    assert speakers_by_class(labels, speakers, GENDER) == {"male": 3, "female": 2}
    assert speakers_by_class(labels, speakers, LANGUAGE) == {"de": 3, "en": 2, "es": 0, "fr": 0}


def test_fewer_than_ten_speakers_of_a_class_are_too_few():
    assert too_few_speakers({"male": 10, "female": 10}, GENDER) == ""
    said = "9 speakers labelled female: too few"
    assert too_few_speakers({"male": 30, "female": 9}, GENDER) == said
    counts = {"de": 10, "en": 9, "es": 4, "fr": 10}
    assert too_few_speakers(counts, LANGUAGE) == "4 speakers of es: too few"


def interval(*clips, task=GENDER, seed=0, **options):
    """The interval of one repeat, over all classes."""
    classes = range(len(task.classes))
    return balanced_accuracy_interval([Judged(*clips)], classes, seed=seed, **options)


@TASKS
def test_the_interval_holds_the_value_itself(task):
    for seed in range(5):
        labels, probabilities = random_case(task, seed=seed)
        predicted = probabilities.argmax(axis=1)
        speakers = np.arange(len(labels)) // 4
        low, high = interval(labels, predicted, speakers, task=task)
        assert 0 <= low < metrics.balanced_accuracy_score(labels, predicted) < high <= 1


def test_the_interval_narrows_with_more_speakers():
    rng = np.random.default_rng(0)
    widths = []
    for speakers in (10, 40, 160):
        low, high = interval(*draw_clips(rng, speakers=speakers))
        widths.append(high - low)
    assert widths[0] > 1.5 * widths[1] > 2 * widths[2]


def test_the_interval_does_not_narrow_with_more_clips_of_the_same_speakers():
    rng = np.random.default_rng(0)
    clips = draw_clips(rng, speakers=12)
    tenfold = tuple(np.repeat(column, 10) for column in clips)
    once = interval(*clips)
    assert interval(*tenfold) == once
    by_clip = interval(*clips[:2], np.arange(len(clips[0])))
    assert by_clip[1] - by_clip[0] < once[1] - once[0]


def test_the_interval_is_that_of_speakers_drawn_one_by_one():
    rng = np.random.default_rng(3)
    labels, predicted, speakers = draw_clips(rng, speakers=14)
    values = []
    for _ in range(600):
        drawn = []
        for label in (0, 1):
            names = np.unique(speakers[labels == label])
            for name in rng.choice(names, size=len(names)):
                drawn.append(np.flatnonzero(speakers == name))
        rows = np.concatenate(drawn)
        values.append(metrics.balanced_accuracy_score(labels[rows], predicted[rows]))
    found = interval(labels, predicted, speakers)
    assert found == pytest.approx(np.percentile(values, [2.5, 97.5]), abs=0.02)


def test_the_interval_covers_the_truth_about_nineteen_times_in_twenty():
    rng = np.random.default_rng(1)
    covered = 0
    for _ in range(200):
        case = draw_clips(rng, speakers=60)
        low, high = interval(*case, draws=400)
        covered += low <= 0.7 <= high
    assert 175 <= covered <= 199


def test_more_repeats_on_the_same_speakers_narrow_nothing():
    clips = Judged(*draw_clips(np.random.default_rng(0), speakers=20))
    once = balanced_accuracy_interval([clips], (0, 1), seed=0)
    assert balanced_accuracy_interval([clips] * 5, (0, 1), seed=0) == once


def test_repeats_on_other_speakers_narrow_the_interval():
    rng = np.random.default_rng(0)
    repeats = []
    for number in range(4):
        labels, predicted, speakers = draw_clips(rng, speakers=20)
        others = np.array([f"{number}/{speaker}" for speaker in speakers])
        repeats.append(Judged(labels, predicted, others))
    one, four = (
        np.diff(balanced_accuracy_interval(some, (0, 1), seed=0)) for some in (repeats[:1], repeats)
    )
    assert four < 0.8 * one


def test_the_interval_depends_on_the_seed_alone():
    case = draw_clips(np.random.default_rng(0), speakers=20)
    found = [interval(*case, seed=seed) for seed in (1, 1, 2)]
    assert found[0] == found[1] != found[2]
    order = np.random.default_rng(5).permutation(len(case[0]))
    shuffled = tuple(column[order] for column in case)
    assert interval(*shuffled, seed=1) == found[0]


@TASKS
def test_the_confusion_matrix_counts_every_clip_once(task):
    labels, probabilities = random_case(task)
    predicted = probabilities.argmax(axis=1)
    rows = confusion(labels, predicted, task)
    matrix = metrics.confusion_matrix(labels, predicted)
    assert [row["clips"] for row in rows] == matrix.ravel().tolist()
    assert sum(row["clips"] for row in rows) == len(labels)
    shares = matrix / matrix.sum(axis=1, keepdims=True)
    assert [row["share"] for row in rows] == pytest.approx(shares.ravel(), abs=0.00005001)
    pairs = [(row["actual"], row["predicted"]) for row in rows]
    assert pairs == [(a, p) for a in task.classes for p in task.classes]


def test_a_class_without_clips_has_an_empty_row_in_the_confusion_matrix():
    rows = confusion(np.array([0, 0]), np.array([0, 1]), GENDER)
    assert [row["clips"] for row in rows] == [1, 1, 0, 0]
    assert [row["share"] for row in rows] == [0.5, 0.5, 0, 0]


def test_the_roc_curve_goes_from_corner_to_corner_and_has_its_area():
    labels, probabilities = random_case(GENDER)
    points = roc_points(labels, probabilities[:, 1])
    fpr, tpr = ([point[name] for point in points] for name in ("fpr", "tpr"))
    assert (fpr[0], tpr[0], fpr[-1], tpr[-1]) == (0, 0, 1, 1)
    assert sorted(fpr) == fpr
    assert sorted(tpr) == tpr
    area = metrics.roc_auc_score(labels, probabilities[:, 1])
    assert np.trapezoid(tpr, fpr) == pytest.approx(area, abs=0.001)


def test_a_model_with_one_answer_is_collapsed():
    assert collapsed(np.array([[0.6, 0.4], [0.9, 0.1]]))
    assert collapsed(np.array([[0.2, 0.5, 0.3], [0.3, 0.4, 0.3]]))
    assert not collapsed(np.array([[0.6, 0.4], [0.4, 0.6]]))


def test_the_linear_baseline_sees_mean_and_deviation_of_each_row():
    arrays = np.random.default_rng(0).normal(3, 2, (5, 68, 16)).astype(np.float32)
    found = mean_and_deviation(arrays)
    assert found.shape == (5, 136)
    assert found.dtype == np.float64
    assert found[2, 7] == pytest.approx(arrays[2, 7].astype(float).mean())
    assert found[2, 68 + 7] == pytest.approx(arrays[2, 7].astype(float).std())


@pytest.mark.parametrize("classes", [2, 4])
def test_the_linear_baseline_learns_what_can_be_separated(classes):
    rng = np.random.default_rng(0)
    labels = np.arange(120) % classes
    arrays = rng.normal(0, 1, (120, 68, 16)).astype(np.float32)
    for label in range(classes):
        arrays[labels == label, 10 * label : 10 * (label + 1)] += 1
    arrays[:, 40:] *= 1000  # rows of another scale, which say nothing
    training, test = slice(0, 80), slice(80, 120)
    found = linear_baseline(
        mean_and_deviation(arrays[training]),
        labels[training],
        mean_and_deviation(arrays[test]),
        seed=0,
    )
    assert found.shape == (40, classes)
    np.testing.assert_allclose(found.sum(axis=1), 1)
    assert (found.argmax(axis=1) == labels[test]).mean() > 0.95


def test_the_linear_baseline_finds_nothing_where_there_is_nothing():
    rng = np.random.default_rng(0)
    arrays = rng.normal(0, 1, (400, 68, 4)).astype(np.float32)
    labels = rng.integers(2, size=400)
    found = linear_baseline(
        mean_and_deviation(arrays[:200]), labels[:200], mean_and_deviation(arrays[200:]), seed=0
    )
    assert 0.35 < (found.argmax(axis=1) == labels[200:]).mean() < 0.65


def test_the_majority_baseline_gives_the_shares_of_the_training_part():
    found = majority_baseline(np.array([0, 2, 2, 2]), 3, classes=4)
    assert found.tolist() == [[0.25, 0, 0.75, 0]] * 3
    assert collapsed(found)


def test_the_pitch_baseline_puts_its_threshold_between_two_classes_whatever_their_shares():
    rng = np.random.default_rng(0)
    low, high = np.exp(rng.normal(np.log(110), 0.1, 900)), np.exp(rng.normal(np.log(220), 0.1, 100))
    labels = np.repeat([0, 1], [900, 100])
    found = pitch_baseline(
        np.concatenate([low, high]), labels, np.geomspace(60, 400, 501), classes=2
    )
    np.testing.assert_allclose(found.sum(axis=1), 1)
    threshold = np.geomspace(60, 400, 501)[found.argmax(axis=1).argmax()]
    # Midway between the classes on a scale of logarithms: the geometric mean.
    assert threshold == pytest.approx(np.sqrt(110 * 220), rel=0.03)


def test_the_pitch_baseline_tells_more_than_two_classes_apart():
    centres = np.array([80.0, 140.0, 250.0])
    labels = np.arange(300) % 3
    f0 = centres[labels] * np.exp(np.random.default_rng(0).normal(0, 0.05, 300))
    found = pitch_baseline(f0, labels, centres, classes=3)
    assert found.shape == (3, 3)
    assert found.argmax(axis=1).tolist() == [0, 1, 2]


def test_clips_without_voice_have_the_median_of_the_training_part():
    f0, labels = np.array([100.0, 110.0, 200.0, 220.0, np.nan]), np.array([0, 0, 1, 1, 1])
    found = pitch_baseline(f0, labels, np.array([np.nan, 155.0]), classes=2)
    np.testing.assert_array_equal(found[0], found[1])


def test_of_clips_that_are_all_without_voice_nothing_is_told():
    found = pitch_baseline(np.full(4, np.nan), np.array([0, 0, 0, 1]), np.full(2, 90.0), classes=2)
    np.testing.assert_allclose(found[0], [0.5, 0.5], atol=1e-3)


def test_a_class_without_training_clips_has_no_probability():
    found = one_number_baseline(
        np.array([0.0, 0.1, 1.0, 1.1]), np.array([0, 0, 2, 2]), np.array([0.0, 1.0]), classes=3
    )
    assert found.argmax(axis=1).tolist() == [0, 2]
    assert not found[:, 1].any()
