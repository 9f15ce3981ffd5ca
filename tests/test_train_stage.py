"""The train stage: what it hands to the training, but for what all tests of the pipeline see."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT

from stages import train
from voicetraits.storage.shards import write_table
from voicetraits.training.on_frames import PHONES

SENTENCES = ["Guten Tag.", "Guten Abend.", "Guten Tag.", ""]


@pytest.fixture
def handed_on(tmp_path, monkeypatch):
    """The clips that the stage hands to the training, by task, network and steps of phones."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("voicetraits.sample.phones._SELDOM", 1)
    corpora = ["", "", "beside", ""]
    clips = pd.DataFrame(
        {"clip": list("abac"), "locale": "de", "corpus": corpora, "sentence": SENTENCES}
    )
    repeats = pd.concat([clips.assign(repeat=1), clips.iloc[::-1].assign(repeat=2)])
    for task in ("language", "gender", "language_and_gender"):
        write_table(Path(f"data/splits/{task}-all.parquet"), repeats)
    monkeypatch.setattr(train, "fetch_missing", lambda _: None)
    monkeypatch.setattr(train, "read_pitch", lambda asked, _: asked.assign(f0=100.0))
    seen: list[pd.DataFrame] = []
    monkeypatch.setattr(train, "train_model", lambda _, table, *__, **___: seen.append(table))

    def run(task: str, representation: str, network: str, *, phones: int) -> pd.DataFrame:
        params = yaml.safe_load((ROOT / "params.yaml").read_text("utf-8"))
        params["frames"] |= {"phones": phones, "joined": ["language_and_gender"]}
        Path("params.yaml").write_text(yaml.safe_dump(params), "utf-8")
        train.main(task, "all", representation, network)
        return seen.pop()

    return run


@pytest.mark.parametrize("task", ["language", "language_and_gender"])
def test_clips_have_phones_where_a_network_is_to_learn_them_before_languages(handed_on, task):
    one, other, again, none, *repeated = handed_on(task, "mel", "tdnn", phones=100)[PHONES]
    assert one == again != other
    assert min(map(len, (one, other))) > 5 and none == []
    assert one[:5] == other[:5]  # Guten
    assert repeated == [none, again, other, one]


@pytest.mark.parametrize(
    ("task", "representation", "network", "phones"),
    [
        ("language", "mel", "tdnn", 0),
        ("gender", "mel", "tdnn", 100),
        ("language", "features", "original", 100),
    ],
)
def test_no_other_network_learns_phones(handed_on, task, representation, network, phones):
    assert PHONES not in handed_on(task, representation, network, phones=phones)
