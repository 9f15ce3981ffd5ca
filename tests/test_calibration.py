"""Temperatures recover what was done to probabilities; errors and curves agree with counting."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import minimize
from sklearn.metrics import log_loss

from voicetraits.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability,
    reliability_rows,
    risk_coverage,
    risk_coverage_rows,
    threshold_for,
)

CLASSES = pytest.mark.parametrize("classes", [2, 4])


def honest(classes: int, *, clips: int = 6000, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """Labels that are drawn from the probabilities themselves."""
    rng = np.random.default_rng(seed)
    probabilities = rng.dirichlet(np.full(classes, 0.7), clips)
    drawn = rng.random(clips)[:, None] > probabilities.cumsum(axis=1)
    return drawn.sum(axis=1).clip(0, classes - 1), probabilities


@CLASSES
@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_takes_back_what_was_done(classes: int, temperature: float) -> None:
    labels, probabilities = honest(classes)
    distorted = apply_temperature(probabilities, 1 / temperature)
    assert fit_temperature(labels, distorted) == pytest.approx(temperature, rel=0.06)


@CLASSES
def test_the_temperature_has_the_least_log_loss(classes: int) -> None:
    labels, probabilities = honest(classes, clips=300)
    sure = apply_temperature(probabilities, 0.4)

    def loss(log_temperature: np.ndarray) -> float:
        return log_loss(labels, apply_temperature(sure, float(np.exp(log_temperature[0]))))

    # Of 300 clips, the doubt that they leave moves the minimum by less than is asked here.
    best = minimize(loss, [0.0], method="Nelder-Mead", options={"xatol": 1e-6, "fatol": 1e-12})
    assert fit_temperature(labels, sure) == pytest.approx(float(np.exp(best.x[0])), rel=0.05)


def test_of_two_classes_a_temperature_divides_the_logit() -> None:
    second = np.array([0.1, 0.5, 0.9, 0.99])
    found = apply_temperature(np.stack([1 - second, second], axis=1), 2.0)[:, 1]
    logit = np.log(second / (1 - second))
    assert found == pytest.approx(1 / (1 + np.exp(-logit / 2)))


@CLASSES
def test_a_temperature_keeps_the_order_and_one_changes_nothing(classes: int) -> None:
    _, probabilities = honest(classes, clips=200)
    assert apply_temperature(probabilities, 1.0) == pytest.approx(probabilities, abs=1e-6)
    for temperature in (0.3, 5.0):
        found = apply_temperature(probabilities, temperature)
        assert found.sum(axis=1) == pytest.approx(1)
        assert np.array_equal(found.argmax(axis=1), probabilities.argmax(axis=1))


def test_few_voices_that_are_all_recognised_do_not_make_a_model_certain() -> None:
    second = np.array([0.3, 0.7] * 40)
    probabilities, labels = np.stack([1 - second, second], axis=1), np.array([0, 1] * 40)
    for voices in (8, 80):
        temperature = fit_temperature(labels, probabilities, voices=voices)
        found = apply_temperature(probabilities, temperature).max()
        assert found == pytest.approx((voices + 1) / (voices + 2), abs=1e-3)


def test_one_sure_mistake_has_a_temperature_and_no_clip_has_none() -> None:
    sure = np.array([[1.0, 0.0]] * 4)
    assert 1 < fit_temperature(np.array([0, 0, 0, 1]), sure) <= 20
    with pytest.raises(ValueError, match="no clips"):
        fit_temperature(np.array([], int), np.empty((0, 2)))


@CLASSES
def test_honest_probabilities_have_a_small_error_and_distorted_ones_a_large_one(
    classes: int,
) -> None:
    labels, probabilities = honest(classes)
    before = expected_calibration_error(labels, probabilities)
    after = expected_calibration_error(labels, apply_temperature(probabilities, 0.3))
    assert before < 0.02
    assert after > 0.08


def test_the_error_is_the_mean_distance_of_its_bins() -> None:
    # Two bins of 15: sure by .6 and right in 9 of 15, sure by .9 and right in 3 of 15.
    first = np.repeat([0.6, 0.9], 15)
    labels = np.array([0] * 9 + [1] * 6 + [0] * 3 + [1] * 12)
    probabilities = np.stack([first, 1 - first], axis=1)
    assert reliability_rows(labels, probabilities) == [
        {"confidence": 0.6, "accuracy": 0.6, "clips": 15},
        {"confidence": 0.9, "accuracy": 0.2, "clips": 15},
    ]
    assert expected_calibration_error(labels, probabilities) == pytest.approx(0.35)


@pytest.mark.parametrize(("clips", "bins"), [(1, 1), (29, 1), (30, 2), (149, 9), (1000, 10)])
def test_bins_have_equally_many_clips_and_never_too_few(clips: int, bins: int) -> None:
    labels, probabilities = honest(2, clips=clips)
    found = reliability(labels, probabilities)
    counts = [each.clips for each in found]
    assert (len(found), sum(counts)) == (bins, clips)
    assert max(counts) - min(counts) <= 1
    assert [each.confidence for each in found] == sorted(each.confidence for each in found)


@CLASSES
def test_coverage_and_risk_are_those_of_counting(classes: int) -> None:
    labels, probabilities = honest(classes, clips=400)
    probabilities = probabilities.round(2)  # so that there are ties
    curve = risk_coverage(labels, probabilities)
    assert curve.coverage[0] == 1
    for threshold, coverage, risk in zip(*curve, strict=True):
        answered = probabilities.max(axis=1) >= threshold
        wrong = probabilities.argmax(axis=1)[answered] != labels[answered]
        assert (coverage, risk) == pytest.approx((answered.mean(), wrong.mean()))


def test_a_curve_is_written_with_few_rows_and_both_ends() -> None:
    labels, probabilities = honest(2, clips=3000)
    rows = risk_coverage_rows(labels, probabilities)
    assert len(rows) == 40
    assert rows[0]["coverage"] == 1
    assert rows[-1]["threshold"] == round(float(probabilities.max()), 4)
    assert len(risk_coverage_rows(labels[:5], probabilities[:5])) == 5


def test_the_threshold_is_the_lowest_that_keeps_the_risk() -> None:
    first = np.array([0.95, 0.9, 0.8, 0.7, 0.6])
    probabilities = np.stack([first, 1 - first], axis=1)
    labels = np.array([0, 0, 0, 1, 0])
    assert threshold_for(labels, probabilities, risk=0.2) == 0.6
    assert threshold_for(labels, probabilities, risk=0.19) == 0.8
    assert threshold_for(labels, probabilities, risk=0.0) == 0.8
    assert threshold_for(1 - labels, probabilities, risk=0.1) is None


def test_the_threshold_holds_on_other_clips() -> None:
    threshold = threshold_for(*honest(2, seed=1), risk=0.1)
    assert threshold is not None
    labels, probabilities = honest(2, seed=2)
    answered = probabilities.max(axis=1) >= threshold
    wrong = probabilities.argmax(axis=1)[answered] != labels[answered]
    assert wrong.mean() == pytest.approx(0.1, abs=0.02)
