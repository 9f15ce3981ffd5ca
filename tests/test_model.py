"""One model: what it writes, that every row belongs to its clip, and what a skipped one leaves."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, LoudestRow, folder_bytes, language, model_of, split_and_arrays

from voicetraits.dataset.arrays import StoredClips, read_clips_arrays
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, prepare
from voicetraits.dataset.undersampling import choose
from voicetraits.errors import NotFiniteError
from voicetraits.networks.model_folder import LIVE, PREDICTIONS, SIDECAR, USED, WEIGHTS
from voicetraits.storage.shards import write_array
from voicetraits.training.run import train_model

ENOUGH = {("es", "male"): 12, ("es", "female"): 6}
TOO_FEW = {("es", "male"): 12, ("es", "female"): 2}
LANGUAGE = language(["es", "en", "fr"])
SPEAKERS = {
    "gender": ENOUGH,
    "language": {("es", "male"): 8, ("en", ""): 5, ("fr", "female"): 6, ("en", "female"): 1},
}


@pytest.fixture
def run(edited_params, tmp_path):
    """A function that runs a model on so many speakers; returns its line, split table and parts."""
    unchanged = edited_params(
        clip={"sample_rate": 16000, "seconds": 3.4},
        extract={"window": 0.05, "frames": 68},
        split={"test": 0.3, "validation": 0.2, "min_speakers": 4},
        protocol={"split_by": "speaker", "undersample": "training", "scale": "training"},
    )

    def run(task, speakers, *, out="model", relabel=None, **train):
        params = unchanged.model_copy(update={"train": unchanged.train.model_copy(update=train)})
        split, folders = split_and_arrays(task, unchanged, tmp_path / "arrays", speakers=speakers)
        if relabel is not None:
            split = relabel(split)
        line = train_model(model_of(task), split, folders, params, out=tmp_path / out)
        if "trained" not in line:
            return line, split, {}
        arrays = read_clips_arrays(split, folders)
        most = params.train.selection_clips
        kept = choose(split, arrays, task, params.protocol, selection_clips=most, seed=params.seed)
        parts, _ = prepare(split.iloc[kept], arrays[kept], task, params.protocol)
        return line, split, parts

    return run


def test_a_skipped_model_leaves_the_reason_and_nothing_else(run, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "voicetraits.training.fit", None)  # no wait for Keras either
    line, *_ = run(GENDER, TOO_FEW)
    reason = "12 male, 2 female speakers, 4 of each needed"
    assert line == f"gender-es-features-original: skipped: {reason}"
    assert [path.name for path in (tmp_path / "model").iterdir()] == [SIDECAR]
    sidecar = json.loads((tmp_path / "model" / SIDECAR).read_text(encoding="utf-8"))
    assert sidecar["skipped"] == reason


def test_the_sidecar_says_what_a_model_needs_to_be_built_again(run, tmp_path, without_keras):
    run(GENDER, ENOUGH)
    sidecar = json.loads((tmp_path / "model" / SIDECAR).read_text(encoding="utf-8"))
    assert sidecar["skipped"] == ""
    assert sidecar["representation"] == "features"
    assert sidecar["network"] == "original"
    assert sidecar["shape"] == [68, 4]
    assert sidecar["task"]["name"] == "gender"
    assert sidecar["task"]["classes"] == ["male", "female"]
    assert sidecar["clip"] == {"sample_rate": 16000, "seconds": 3.4, "longest": 12.0}
    assert sidecar["extract"] == {"window": 0.05, "frames": 68}


def test_a_trained_model_has_all_its_files(run, tmp_path, without_keras):
    line, *_ = run(GENDER, ENOUGH)
    assert line == "gender-es-features-original: trained and tested"
    names = {path.name for path in (tmp_path / "model").iterdir()}
    assert names == {WEIGHTS, SIDECAR, PREDICTIONS, USED, LIVE}


@pytest.mark.parametrize(
    ("task", "speakers"),
    [(GENDER, SPEAKERS["gender"]), (LANGUAGE, SPEAKERS["language"])],
    ids=["gender", "language"],
)
def test_every_test_clip_has_its_own_prediction_from_every_model(
    run, tmp_path, without_keras, task, speakers
):
    _, split, parts = run(task, speakers)
    found = pd.read_parquet(tmp_path / "model" / PREDICTIONS)
    test = split[split["part"] == TEST]
    validation = found[found["part"] == VALIDATION]
    assert validation["clip"].tolist() == parts[VALIDATION].clips["clip"].tolist()
    assert validation["estimator"].unique().tolist() == ["network"]
    found = found[found["part"] == TEST]
    assert found["estimator"].unique().tolist() == ["network", "linear", "pitch", "majority"]
    classes = list(task.classes)
    for _, rows in found.groupby("estimator"):
        assert rows["clip"].tolist() == test["clip"].tolist()
        assert rows["label"].tolist() == test["label"].tolist()
        assert rows["speaker"].tolist() == test["speaker"].tolist()
        np.testing.assert_allclose(rows[classes].sum(axis=1), 1, atol=1e-6)
    of_model = {model: rows[classes].to_numpy() for model, rows in found.groupby("estimator")}
    (expected,) = LoudestRow(len(classes)).predict(parts[TEST].arrays[:])
    np.testing.assert_allclose(of_model["network"], expected)
    right = of_model["linear"].argmax(axis=1) == [classes.index(n) for n in test["label"]]
    assert right.mean() > 0.8
    if task is GENDER:
        right = of_model["pitch"].argmax(axis=1) == [classes.index(n) for n in test["label"]]
        assert right.all()
    # As frequent as before undersampling: the largest class of the corpus wins.
    shares = split.loc[split["part"] == TRAINING, "label"].value_counts(normalize=True)
    assert (of_model["majority"] == shares[classes].to_numpy()).all()


def test_a_fit_is_given_the_clips_of_its_part_and_no_others(
    run, tmp_path, without_keras, monkeypatch
):
    training = sys.modules["voicetraits.training.fit"]
    fit, given = training.fit, {}

    def recorded(network, task, parts, *arguments, **options):
        given.update({name: part.clips["clip"].tolist() for name, part in parts.items()})
        return fit(network, task, parts, *arguments, **options)

    monkeypatch.setattr(training, "fit", recorded)
    run(GENDER, ENOUGH)
    used = pd.read_parquet(tmp_path / "model" / USED)
    # Not the test part: what is not there cannot leak.
    assert given == {
        part: used.loc[used["part"] == part, "clip"].tolist() for part in (TRAINING, VALIDATION)
    }


def test_labels_shuffled_in_the_training_part_leave_the_linear_baseline_at_chance(
    run, tmp_path, without_keras
):
    def shuffled(split):
        here = split["part"] == TRAINING
        labels = split.loc[here, "label"].sample(frac=1, random_state=1)
        return split.assign(label=split["label"].mask(here, labels.set_axis(split.index[here])))

    speakers = {("es", "male"): 40, ("es", "female"): 40}
    run(GENDER, speakers, relabel=shuffled)
    found = pd.read_parquet(tmp_path / "model" / PREDICTIONS).query("estimator == 'linear'")
    right = found[["male", "female"]].idxmax(axis=1) == found["label"]
    assert 0.25 < right.mean() < 0.75


def failed_model(line: str, folder: Path) -> str:
    """The reason of a model that failed and has left nothing else."""
    assert [path.name for path in folder.iterdir()] == [SIDECAR]
    sidecar = json.loads((folder / SIDECAR).read_text(encoding="utf-8"))
    assert sidecar["skipped"] == ""
    assert line.endswith(f"-original: failed: {sidecar['failed']}")
    return sidecar["failed"]


def test_a_training_that_fails_leaves_the_reason_and_nothing_of_an_earlier_run(
    run, tmp_path, without_keras, monkeypatch
):
    run(GENDER, ENOUGH)

    def fails(*_, live_folder, **__):
        live_folder.mkdir(parents=True)
        raise NotFiniteError("the training loss is nan")

    monkeypatch.setattr(sys.modules["voicetraits.training.fit"], "fit", fails)
    line, *_ = run(GENDER, ENOUGH)
    assert failed_model(line, tmp_path / "model") == "the training loss is nan"


@pytest.mark.parametrize("model", ["network", "linear"])
def test_predictions_that_are_no_numbers_fail_the_model(
    run, tmp_path, without_keras, monkeypatch, model
):
    def nowhere(*_, **__):
        return np.full((1, 2), np.nan)

    if model == "network":
        monkeypatch.setattr(sys.modules["voicetraits.training.fit"], "predict", nowhere)
    else:
        monkeypatch.setattr("voicetraits.training.on_arrays.linear_baseline", nowhere)
    line, *_ = run(GENDER, ENOUGH)
    assert model in failed_model(line, tmp_path / "model")


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("task", [GENDER, LANGUAGE], ids=["gender", "language"])
def test_arrays_that_hold_no_numbers_fail_the_model(
    run, tmp_path, without_keras, monkeypatch, task, value
):
    def spoiled(index, folders, StoredClips=StoredClips):  # noqa: N803
        path = folders["es"] / "00001.npy"
        arrays = np.load(path)
        arrays[[3, 5], 7, 1] = value
        write_array(path, arrays)
        return StoredClips(index, folders)

    monkeypatch.setattr("voicetraits.training.on_arrays.StoredClips", spoiled)
    line, split, _ = run(task, SPEAKERS[task.name])
    assert failed_model(line, tmp_path / "model") == (
        f"2 of {len(split)} clips have arrays with numbers that are not finite, "
        "the first in row 3 of arrays/es/00001.npy"
    )


def test_a_model_whose_test_part_loses_a_class_to_undersampling_is_skipped(
    run, tmp_path, without_keras, monkeypatch
):
    def all_but_tested_women(clips, *_, **__):
        return np.flatnonzero((clips["part"] != TEST) | (clips["label"] != "female"))

    monkeypatch.setattr("voicetraits.training.on_arrays.choose", all_but_tested_women)
    line, *_ = run(GENDER, ENOUGH)
    assert (
        line == "gender-es-features-original: skipped: undersampling leaves no female clips in test"
    )
    assert [path.name for path in (tmp_path / "model").iterdir()] == [SIDECAR]


def test_the_clips_used_are_those_left_by_undersampling(run, tmp_path, without_keras):
    _, split, parts = run(GENDER, ENOUGH)
    used = pd.read_parquet(tmp_path / "model" / USED)
    for name in (TRAINING, VALIDATION, TEST):
        found = used.loc[used["part"] == name, "clip"].tolist()
        assert found == parts[name].clips["clip"].tolist()
    training = used[used["part"] == TRAINING]
    assert training["label"].value_counts().nunique() == 1
    assert len(training) < (split["part"] == TRAINING).sum()


def test_a_model_gives_the_same_bytes_again(run, tmp_path, without_keras):
    run(GENDER, ENOUGH, out="one")
    run(GENDER, ENOUGH, out="two")
    assert folder_bytes(tmp_path / "one") == folder_bytes(tmp_path / "two")


def test_a_model_beyond_the_memory_budget_stays_on_disk_and_gives_the_same_bytes(
    run, tmp_path, without_keras, monkeypatch
):
    training = sys.modules["voicetraits.training.fit"]
    looked_into = []

    def fit(network, task, parts, *rest, fit=training.fit, **options):
        looked_into.append({name: part.arrays._arrays for name, part in parts.items()})
        return fit(network, task, parts, *rest, **options)

    monkeypatch.setattr(training, "fit", fit)
    for number, task in enumerate((GENDER, LANGUAGE)):
        speakers = SPEAKERS[task.name]
        run(task, speakers, out=f"memory-{number}", memory_budget_gb=1)
        run(task, speakers, out=f"disk-{number}", memory_budget_gb=0)
        in_memory, on_disk = looked_into[-2:]
        # One array for all parts, or none.
        assert len({id(arrays) for arrays in in_memory.values()}) == 1
        assert {type(arrays) for arrays in in_memory.values()} == {np.ndarray}
        assert {type(arrays) for arrays in on_disk.values()} == {StoredClips}
        found = [folder_bytes(tmp_path / f"{place}-{number}") for place in ("memory", "disk")]
        assert found[0] == found[1]


def test_clips_that_one_sided_selection_is_not_given_are_not_used(run, tmp_path, without_keras):
    _, split, _ = run(LANGUAGE, SPEAKERS["language"], selection_clips=24)
    used = pd.read_parquet(tmp_path / "model" / USED)
    before, after = (table["part"].value_counts() for table in (split, used))
    assert after[TRAINING] <= 24 < before[TRAINING]
    assert after[VALIDATION] == before[VALIDATION]
    assert after[TEST] == before[TEST]


def test_a_model_is_replaced_as_a_whole_or_not_at_all(run, tmp_path, without_keras, monkeypatch):
    run(GENDER, ENOUGH)
    before = folder_bytes(tmp_path / "model")
    with monkeypatch.context() as patch:

        def fails(*_, **__):
            raise RuntimeError("out of memory")

        patch.setattr(sys.modules["voicetraits.training.fit"], "fit", fails)
        with pytest.raises(RuntimeError, match="out of memory"):
            run(GENDER, ENOUGH)
    assert folder_bytes(tmp_path / "model") == before
    run(GENDER, TOO_FEW)
    assert list(folder_bytes(tmp_path / "model")) == [SIDECAR]
    assert not list(tmp_path.glob(".*"))
