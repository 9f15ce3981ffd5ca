"""A model on clips of any length: learned, written, loaded, and the same again."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from conftest import GENDER, folder_bytes, model_of, one_split

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TEST
from voicetraits.dataset.split import assign_parts
from voicetraits.networks.model_folder import PREDICTIONS, SIDECAR, USED, load
from voicetraits.params import Params
from voicetraits.storage.shards import FRAMES, shard_name, write_array, write_table
from voicetraits.training.crops import SpreadCrops
from voicetraits.training.fit import predict
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
        frames={"passes": 4, "steps": 20, "crop": 30, "crops": 3, "batch_size": 8, "warmup": 5},
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
