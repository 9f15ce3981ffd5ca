"""A model on clips of any length: learned, written, loaded, and the same again."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, NOISE_ALONE, folder_bytes, language, model_of, one_split

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TEST, TRAINING
from voicetraits.dataset.split import assign_parts
from voicetraits.networks import build
from voicetraits.networks.model_folder import PREDICTIONS, SIDECAR, USED, load
from voicetraits.params import Params
from voicetraits.storage.shards import FRAMES, shard_name, write_array, write_table
from voicetraits.training.crops import SpreadCrops
from voicetraits.training.fit import predict
from voicetraits.training.on_frames import PHONES
from voicetraits.training.run import train_model

pytestmark = pytest.mark.slow


def corpus(folder: Path, params: Params) -> pd.DataFrame:
    """A split table of three clips a speaker, and their frames: each class has bands of its own."""
    rng = np.random.default_rng(0)
    rows, frames = [], []
    for number in range(30):
        gender = GENDER.classes[number % 3 == 0]
        for clip in range(3):
            length = int(rng.integers(15, 60))
            found = rng.normal(0, 1, (length, 64))
            found[:, 10 if gender == "female" else 40] += 4 * np.sin(np.arange(length) / 3)
            frames.append(found)
            rows.append((f"{number}_{clip}.mp3", "es", f"s{number}", gender, 0, len(rows)))
    index = pd.DataFrame(rows, columns=["clip", "locale", "speaker", "gender", "shard", "row"])
    folder.mkdir(parents=True)
    write_array(folder / shard_name(0, "npy"), np.concatenate(frames).astype(np.float16))
    lengths = [len(found) for found in frames]
    start = np.cumsum([0, *lengths[:-1]])
    places = {"shard": 0, "row": range(len(rows)), "start": start, "frames": lengths}
    write_table(folder / FRAMES, pd.DataFrame(places))
    index["f0"] = np.where(index["gender"] == "female", 200.0, 120.0)
    return one_split(
        assign_parts(GENDER.labelled(index), GENDER, params.split, by="speaker", seed=1)
    )


@pytest.fixture(scope="module")
def params(edited_params) -> Params:
    return edited_params(
        split={"min_speakers": 3},
        # Echo would fill the gaps, which are all that these clips have.
        frames={"passes": 4, "steps": 40, "crop": 30, "crops": 3, "batch_size": 8, "warmup": 5}
        | NOISE_ALONE,
    )


@pytest.fixture(scope="module")
def trained(params, tmp_path_factory):
    """Folder, split table and name of a model on frames."""
    folder = tmp_path_factory.mktemp("on frames")
    clips = corpus(folder / "mel" / "es", params)
    model = model_of(GENDER, representation="mel", network="tdnn")
    for name in ("one", "two"):
        line = train_model(model, clips, {"es": folder / "mel" / "es"}, params, out=folder / name)
        assert line == "gender-es-mel-tdnn: trained and tested"
    return folder, clips


def written_by_network(folder: Path) -> pd.DataFrame:
    """What the network makes of the test part."""
    found = pd.read_parquet(folder / PREDICTIONS)
    return found[(found["estimator"] == "network") & (found["part"] == TEST)]


def test_it_learns_what_tells_the_classes_apart(trained):
    folder, _ = trained
    found = written_by_network(folder / "one")
    right = found[["male", "female"]].idxmax(axis=1) == found["label"]
    assert right.groupby(found["label"]).mean().mean() > 0.9


def test_all_clips_are_used_and_all_of_the_test_part_is_predicted(trained):
    folder, clips = trained
    used = pd.read_parquet(folder / "one" / USED)
    assert sorted(used["clip"]) == sorted(clips["clip"])
    found = pd.read_parquet(folder / "one" / PREDICTIONS)
    assert found["estimator"].unique().tolist() == ["network", "linear", "pitch", "majority"]
    pitch = found[found["estimator"] == "pitch"]
    assert (pitch[["male", "female"]].idxmax(axis=1) == pitch["label"]).all()
    for _, rows in found[found["part"] == TEST].groupby("estimator"):
        assert rows["clip"].tolist() == used.loc[used["part"] == TEST, "clip"].tolist()


def test_it_gives_the_same_bytes_again(trained):
    folder, _ = trained
    assert folder_bytes(folder / "one") == folder_bytes(folder / "two")


def test_it_begins_with_the_phones_that_clips_have(params, tmp_path, monkeypatch):
    clips = corpus(tmp_path / "mel" / "es", params)
    # As many as the clip has frames, and 2 for the smaller group, which is drawn more often.
    lengths = pd.read_parquet(tmp_path / "mel" / "es" / FRAMES)["frames"]
    phone = np.where(clips["gender"] == "female", 2, 1)
    clips[PHONES] = [[n] * lengths[row] for n, row in zip(phone, clips["row"], strict=True)]
    asked, begun = [], []

    def fit_phones(network, task, stored, spoken, places, weights, frames, **options):
        assert [len(each) for each in spoken] == [stored.length(n) for n in range(len(stored))]
        drawn = [spoken[place][0] for place in places[TRAINING]]
        assert np.where(weights == weights.max(), 2, 1).tolist() == drawn
        asked.append((network, len(stored)))
        return ["weights"]

    def fit_frames(network, task, stored, *_, begin, **__):
        begun.append(begin)
        return build(network, (stored.bands, None), task.heads, seed=0)

    monkeypatch.setattr("voicetraits.training.phones.fit_phones", fit_phones)
    monkeypatch.setattr("voicetraits.training.fit_frames.fit_frames", fit_frames)
    model = model_of(GENDER, representation="mel", network="tdnn")
    folders = {"es": tmp_path / "mel" / "es"}
    for table in (clips, clips.drop(columns=PHONES)):
        train_model(model, table, folders, params, out=tmp_path / "model")
    assert asked == [("tdnn", len(clips))]
    assert begun == [["weights"], None]


def test_splits_without_phones_are_skipped_and_say_why(params, tmp_path):
    clips = corpus(tmp_path / "mel" / "es", params)
    clips[PHONES] = [[]] * len(clips)
    model = model_of(GENDER, representation="mel", network="tdnn")
    said = train_model(model, clips, {"es": tmp_path / "mel" / "es"}, params, out=tmp_path / "m")
    assert re.fullmatch(r"gender-es-mel-tdnn: skipped: frames\.phones .*set it to 0", said)
    assert not (tmp_path / "m" / PREDICTIONS).exists()


def test_a_loss_that_is_no_number_names_the_rate_of_this_training(params, tmp_path):
    hopeless = params.frames.model_copy(update={"learning_rate": 1e30, "warmup": 0, "passes": 1})
    clips = corpus(tmp_path / "mel" / "es", params)
    model = model_of(GENDER, representation="mel", network="tdnn")
    train_model(
        model,
        clips,
        {"es": tmp_path / "mel" / "es"},
        params.model_copy(update={"frames": hopeless}),
        out=tmp_path / "model",
    )
    sidecar = json.loads((tmp_path / "model" / SIDECAR).read_text(encoding="utf-8"))
    assert re.search(r"a smaller frames\.learning_rate may help", sidecar["failed"])


def test_a_loaded_network_gives_the_predictions_that_were_written_to_the_bit(trained, params):
    folder, _ = trained
    sidecar = json.loads((folder / "one" / SIDECAR).read_text(encoding="utf-8"))
    assert sidecar["shape"] == [64, None]
    used = pd.read_parquet(folder / "one" / USED)
    index = used[used["part"] == TEST].merge(trained[1][["clip", "shard", "row"]], on="clip")
    stored = StoredFrames(index, {"es": folder / "mel" / "es"}, budget_gb=1)
    frames = params.frames
    crops = SpreadCrops(stored, range(len(stored)), frames=frames.crop, crops=frames.crops)
    found = predict(load(folder / "one"), crops, batch_size=frames.batch_size)
    written = written_by_network(folder / "one")
    np.testing.assert_array_equal(crops.mean_by_clip(found), written[["male", "female"]].to_numpy())


@pytest.mark.parametrize(("ensemble", "distil", "members"), [(2, 0, 2), (2, 0.5, 1)])
def test_an_ensemble_is_one_model_and_so_is_what_stands_for_it(
    params, tmp_path, ensemble, distil, members
):
    changes = {"ensemble": ensemble, "distil": distil, "passes": 2}
    params = params.model_copy(update={"frames": params.frames.model_copy(update=changes)})
    clips = corpus(tmp_path / "mel" / "es", params)
    model = model_of(GENDER, representation="mel", network="tdnn")
    train_model(model, clips, {"es": tmp_path / "mel" / "es"}, params, out=tmp_path / "model")
    sidecar = json.loads((tmp_path / "model" / SIDECAR).read_text(encoding="utf-8"))
    assert sidecar["members"] == members
    network = load(tmp_path / "model")
    one = build("tdnn", (64, None), GENDER.heads, seed=0)
    assert network.count_params() == members * one.count_params()
    used = pd.read_parquet(tmp_path / "model" / USED)
    index = used[used["part"] == TEST].merge(clips[["clip", "shard", "row"]], on="clip")
    stored = StoredFrames(index, {"es": tmp_path / "mel" / "es"}, budget_gb=1)
    frames = params.frames
    crops = SpreadCrops(stored, range(len(stored)), frames=frames.crop, crops=frames.crops)
    found = predict(network, crops, batch_size=frames.batch_size)
    written = written_by_network(tmp_path / "model")
    np.testing.assert_array_equal(crops.mean_by_clip(found), written[["male", "female"]].to_numpy())


def test_tasks_learned_together_are_each_asked_about_the_clips_with_a_label(params, tmp_path):
    longer = params.frames.model_copy(update={"passes": 5 * params.frames.passes})
    params = params.model_copy(update={"frames": longer})  # two tasks take more steps than one
    languages = language(["en", "es"])
    task = replace(languages, name="language_and_gender", joined=(languages, GENDER))
    folders, tables = {}, []
    for locale in ("es", "en"):
        folders[locale] = tmp_path / "mel" / locale
        clips = corpus(folders[locale], params)
        clips["speaker"] = locale + clips["speaker"]
        clips.loc[clips["speaker"].str.endswith("1"), "gender"] = ""
        tables.append(clips.assign(locale=locale, label=locale))
    clips = pd.concat(tables, ignore_index=True)
    model = model_of(task, representation="mel", network="tdnn")
    train_model(model, clips, folders, params, out=tmp_path / "model")
    found = pd.read_parquet(tmp_path / "model" / PREDICTIONS)
    test = clips[clips["part"] == TEST]
    for each, labelled in ((languages, test), (GENDER, test[test["gender"] != ""])):
        for _, rows in found[(found["part"] == TEST) & (found["task"] == each.name)].groupby(
            "estimator"
        ):
            assert sorted(rows["clip"]) == sorted(labelled["clip"])
            np.testing.assert_allclose(rows[list(each.classes)].sum(axis=1), 1, atol=1e-5)
    gender = found[(found["task"] == "gender") & (found["estimator"] == "network")]
    gender = gender[gender["part"] == TEST]
    right = gender[["male", "female"]].idxmax(axis=1) == gender["label"]
    assert right.groupby(gender["label"]).mean().mean() > 0.9
    assert len(load(tmp_path / "model").outputs) == 2
