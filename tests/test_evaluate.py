"""Trained networks are tried on worse recordings, other languages and slices of their clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from conftest import COMMITTED, LoudestRow, model_of, replace_training, tone

from voicetraits.audio.conditions import CONDITIONS
from voicetraits.audio.wav import segment_of, wav_bytes
from voicetraits.features.extract import represent
from voicetraits.models import Model, declared_model
from voicetraits.networks.model_folder import PREDICTIONS, USED, write_sidecar
from voicetraits.report import evaluate as module
from voicetraits.report.evaluate import evaluate, write_evaluation
from voicetraits.report.judged import RISK, Part, calibrated, stored_parts
from voicetraits.report.predictions import StaleError
from voicetraits.report.worse import predictor, read_sounds
from voicetraits.storage.shards import INDEX, shard_name, write_table, write_wavs

RATE = 16_000
SPEAKERS = 12  # of each locale
PARAMS = COMMITTED.model_copy(
    update={"clip": COMMITTED.clip.model_copy(update={"seconds": 0.8})}
).model_copy(update={"extract": COMMITTED.extract.model_copy(update={"frames": 16})})


def clips_of(locale: str) -> pd.DataFrame:
    """Three clips of every speaker; the last third of the speakers are tested on."""
    rows = [
        (f"{locale}{speaker}-{clip}.mp3", locale, f"{locale}-s{speaker}", speaker)
        for speaker in range(SPEAKERS)
        for clip in range(3)
    ]
    table = pd.DataFrame(rows, columns=["clip", "locale", "speaker", "number"])
    gender = np.where(table["number"] % 2, "female", "male")
    part = np.array(["training", "validation", "test"])[table["number"] * 3 // SPEAKERS]
    place = np.arange(len(table))
    return table.assign(
        gender=gender,
        label=gender,
        part=part,
        age=np.where(table["number"] % 3, "twenties", ""),
        accent="",
        source="",
        corpus="",
        duration=np.float32(0.8),
        shard=place // 10,
        row=place % 10,
    )


def write_corpus(wavs: Path, locale: str) -> None:
    table = clips_of(locale)
    rng = np.random.default_rng(0)
    for shard, here in table.groupby("shard"):
        sounds = [
            0.3 * tone(220 if gender == "female" else 110, RATE, seconds=0.8)
            + 0.01 * rng.standard_normal(round(0.8 * RATE))
            for gender in here["gender"]
        ]
        named = zip(here["clip"], sounds, strict=True)
        (wavs / locale).mkdir(parents=True, exist_ok=True)
        shards = [(clip, wav_bytes(segment_of(sound, RATE))) for clip, sound in named]
        write_wavs(wavs / locale / shard_name(shard, "tar"), shards)
    write_table(wavs / locale / INDEX, table.drop(columns=["number", "label", "corpus"]))


def write_model(model: Model, folder: Path, *, skipped: str = "") -> None:
    """A folder as the training stage writes it; predictions are right in the test part."""
    folder.mkdir(parents=True)
    task = {"name": model.task.name, "classes": list(model.task.classes), "joined": []}
    sidecar: dict[str, Any] = {"task": task, "skipped": skipped, "failed": ""}
    sidecar |= {"representation": model.representation, "network": model.network}
    write_sidecar(folder, sidecar)
    if skipped:
        return
    table = pd.concat([clips_of(locale) for locale in model.locales], ignore_index=True)
    write_table(folder / USED, table[["clip", "locale", "speaker", "gender", "label", "part"]])
    asked = table[table["part"] != "training"]
    female = np.where(asked["label"] == "female", 0.9, 0.1)
    rows = asked[["part", "clip", "locale", "speaker", "label"]].assign(
        task=model.task.name, male=1 - female, female=female, left_out="", repeat=1
    )
    wrong = rows.assign(male=rows["female"], female=rows["male"])
    tables = [rows.assign(estimator="network"), wrong.assign(estimator="linear")]
    tables += [wrong.assign(estimator="network", repeat=2)]
    tables += [wrong.assign(estimator="network", left_out="a source")]
    write_table(folder / PREDICTIONS, pd.concat(tables, ignore_index=True))


def models() -> list[Model]:
    kinds = [("features", "original"), ("mel", "tdnn")]
    return [
        declared_model(PARAMS, "gender", locale, *kind) for kind in kinds for locale in ("es", "en")
    ]


@pytest.fixture
def found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[dict[str, Any]]]:
    """Records of four models, one of them skipped."""
    monkeypatch.setenv("VOICETRAITS_WORKERS", "1")
    replace_training(monkeypatch)
    for locale in ("es", "en"):
        write_corpus(tmp_path / "wav", locale)
    given = [(model, tmp_path / model.folder) for model in models()]
    for model, folder in given:
        skipped = "too few" if model.name == "gender-en-mel-tdnn" else ""
        write_model(model, folder, skipped=skipped)
    monkeypatch.setattr(module, "CLIPS", 8)
    return evaluate(given, PARAMS, wavs=tmp_path / "wav")


def test_every_trained_model_is_tried_under_every_condition(found) -> None:
    tried = [(row["model"], row["condition"]) for row in found["robustness"]]
    names = ["gender-es-features-original", "gender-en-features-original", "gender-es-mel-tdnn"]
    assert tried == [(name, condition) for name in names for condition in CONDITIONS]
    assert {(row["clips"], row["test_clips"]) for row in found["robustness"]} == {(8, 12)}
    assert {row["chance"] for row in found["robustness"]} == {0.5}


def test_models_of_one_language_meet_the_others_if_there_are_two(found) -> None:
    pairs = [
        (row["representation"], row["trained_on"], row["tested_on"]) for row in found["across"]
    ]
    both = ("en", "es")
    assert pairs == [("features", one, other) for one in both for other in both]


def test_slices_and_calibration_are_of_the_stored_test_part_of_the_first_split(found) -> None:
    ages = [row for row in found["slices"] if row["attribute"] == "age"]
    assert {row["slice"]: row["clips"] for row in ages} == {"twenties": 9, "not given": 3}
    assert {row["value"] for row in ages} == {1.0}  # those of the network, not of the others
    assert all(row["test_clips"] == 12 for row in found["calibration"])
    assert all(row["validation_clips"] == 12 for row in found["calibration"])
    loudness = [row for row in found["slices"] if row["attribute"] == "loudness"]
    assert all("not given" not in row["slice"] for row in loudness)


def test_the_records_name_no_speaker_and_no_clip(found) -> None:
    text = json.dumps(found)
    assert "-s1" not in text
    assert ".mp3" not in text


def test_files_and_pictures_are_written(found, tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    write_evaluation(found)
    for name in ("metrics/robustness", "metrics/across", "metrics/slices", "metrics/calibration"):
        assert json.loads(Path(f"{name}.json").read_text()) == found[Path(name).name]
    pictures = {path.name for path in Path("plots/evaluation").iterdir()}
    assert pictures >= {"robustness.png", "reliability.png", "across-gender.png"}
    assert "slices-gender-es-mel-tdnn.png" in pictures


def test_nothing_trained_leaves_empty_records_and_pictures(tmp_path, monkeypatch) -> None:
    given = [(model, tmp_path / model.folder) for model in models()]
    for model, folder in given:
        write_model(model, folder, skipped="too few")
    found = evaluate(given, PARAMS, wavs=tmp_path)
    assert not any(found.values())
    monkeypatch.chdir(tmp_path)
    write_evaluation(found)
    assert (tmp_path / "plots/evaluation/robustness.png").is_file()


def test_sounds_come_with_their_places(tmp_path: Path) -> None:
    write_corpus(tmp_path, "es")
    asked = clips_of("es").sample(9, random_state=0)
    places = {}
    for sound in read_sounds(asked, tmp_path):
        spectrum = np.abs(np.fft.rfft(sound.pcm))
        places[sound.place] = spectrum.argmax() * RATE / len(sound.pcm)
    assert sorted(places) == list(range(9))
    expected = np.where(asked["gender"] == "female", 220, 110)
    assert [places[n] for n in range(9)] == pytest.approx(expected, abs=3)


def test_a_predictor_takes_arrays_of_one_length_and_of_any(monkeypatch) -> None:
    replace_training(monkeypatch)
    pcm = [(9000 * tone(200, RATE, seconds=s)).astype(np.int16) for s in (0.5, 4.0)]
    for model in (models()[0], models()[2]):
        arrays = [
            represent(each, RATE, model.representation, clip=PARAMS.clip, analysis=PARAMS.extract)
            for each in pcm
        ]
        predict = predictor(model, LoudestRow(2), PARAMS)
        both = predict(arrays)
        assert both.shape == (2, 2)
        assert both.sum(axis=1) == pytest.approx(1)
        assert predict(arrays[1:]) == pytest.approx(both[1:])


def test_an_oversure_model_is_calibrated_and_gets_a_threshold_from_validation() -> None:
    rng = np.random.default_rng(0)
    labels = rng.integers(2, size=3000)
    logit = 1.5 * (2 * labels - 1) + 1.5 * rng.standard_normal(3000)
    second = 1 / (1 + np.exp(-4 * logit))
    both = np.stack([1 - second, second], axis=1)
    halves = [
        Part(pd.DataFrame({"speaker": range(1500)}), labels[some], both[some])
        for some in (slice(1500), slice(1500, None))
    ]
    found = calibrated(model_of(models()[0].task), *halves)
    record = found.record
    assert record["temperature"] > 2
    assert record["error_scaled"] < record["error"] / 2
    assert record["loss_scaled"] < record["loss"]
    assert record["risk"] == pytest.approx(RISK, abs=0.02)
    assert 0.5 < record["coverage"] < 1
    assert {row["probabilities"] for row in found.reliability} == {
        *("as trained", "with the temperature")
    }


def test_the_stored_parts_are_those_of_the_network_that_is_kept(tmp_path: Path) -> None:
    model = models()[0]
    write_model(model, tmp_path / "model")
    for part in stored_parts(model, tmp_path / "model"):
        assert len(part.labels) == 12
        assert np.array_equal(part.probabilities.argmax(axis=1), part.labels)


def test_a_model_of_another_corpus_is_refused(tmp_path: Path) -> None:
    write_corpus(tmp_path / "wav", "es")
    path = tmp_path / "wav" / "es" / INDEX
    index = pd.read_parquet(path)
    write_table(path, index.assign(speaker=index["speaker"] + "0"))
    model = models()[0]
    write_model(model, tmp_path / model.folder)
    with pytest.raises(StaleError, match=f"{model.folder}.*of other speakers"):
        evaluate([(model, tmp_path / model.folder)], PARAMS, wavs=tmp_path / "wav")
