"""The benchmark of leakage: the two protocols, its probes, and the figures that it keeps."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import COMMITTED, ROOT

from benchmarks import leakage
from voicetraits.params import load_params
from voicetraits.storage.shards import write_table


def test_ours_is_the_protocol_of_params_yaml_and_the_original_differs_in_all_of_it():
    ours, original = leakage.PROTOCOLS["ours"], leakage.PROTOCOLS["original"]
    assert COMMITTED.protocol.model_dump() == ours
    assert ours.keys() == original.keys()
    assert all(ours[key] != original[key] for key in ours)


def test_only_protocol_and_seed_change_of_the_models_on_clips_of_one_length(tmp_path, monkeypatch):
    committed = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
    committed["frames"] |= {"representations": ["mel"], "networks": ["tdnn"]}
    (tmp_path / "committed.yaml").write_text(yaml.safe_dump(committed), "utf-8")
    monkeypatch.chdir(tmp_path)
    found = leakage.write_params(tmp_path / "committed.yaml", leakage.PROTOCOLS["original"], 7)
    assert found == load_params("params.yaml")
    committed["frames"] |= {"representations": [], "networks": []}
    expected = {**committed, "protocol": leakage.PROTOCOLS["original"], "seed": 7}
    assert yaml.safe_load((tmp_path / "params.yaml").read_text("utf-8")) == expected


def test_what_is_missing_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(SystemExit, match=r"data/clips is not there: run `make repro`"):
        leakage.link_data(COMMITTED, tmp_path / "elsewhere")


def test_a_probe_finds_what_gives_a_label_away_and_nothing_else(
    tmp_path, monkeypatch, edited_params
):
    monkeypatch.chdir(tmp_path)
    params = edited_params(locales=["es"], models={"per_locale": ["gender"], "pooled": []})
    rng = np.random.default_rng(0)
    clips = pd.DataFrame({"clip": [f"clip_{n}" for n in range(600)], "locale": "es", "shard": 0})
    female = rng.random(len(clips)) < 0.2
    clips = clips.assign(
        row=np.arange(len(clips)),
        label=np.where(female, "female", "male"),
        part=rng.choice(["training", "validation", "test"], len(clips)),
    )
    pitch = clips[["clip", "shard", "row"]].assign(f0=np.nan, voiced=0.0)
    pitch = pitch.assign(seconds=3 + 2 * female, silent_tail=rng.random(len(clips)))
    write_table(tmp_path / "data/splits/gender-es.parquet", clips)
    write_table(tmp_path / "data/pitch/es.parquet", pitch)
    found = leakage.probe(params)
    assert found["gender", "seconds"] == [1.0]
    (tail,) = found["gender", "silent_tail"]
    assert tail == pytest.approx(0.5, abs=0.12)


def test_the_worth_is_taken_within_a_seed():
    key = ("gender", "features", "network")
    ours = [{key: [0.5, 0.7]}, {key: [0.8, 0.8]}]
    original = [{key: [0.6, 0.8]}, {key: [0.9, 0.7]}]
    found = leakage.worth({"ours": ours, "original": original})["gender features network"]
    assert found["ours"] == {"mean": 0.7, "lowest": 0.6, "highest": 0.8}
    assert found["original"] == {"mean": 0.75, "lowest": 0.7, "highest": 0.8}
    assert found["worth"] == {"mean": 0.05, "lowest": 0.0, "highest": 0.1}


def test_the_page_shows_the_figures_that_are_kept():
    content = json.loads((ROOT / "benchmarks/results/leakage.json").read_text("utf-8"))
    page = (ROOT / "docs/leakage.md").read_text("utf-8")
    shown = page.split("<!-- figures -->")[1].split("<!-- /figures -->")[0].strip()
    assert shown == leakage.table(content)
