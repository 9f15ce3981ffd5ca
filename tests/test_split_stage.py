"""The split stage: our own parts, or those of Common Voice, in one and the same form."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pandas as pd
import pytest
import yaml
from conftest import ROOT

from stages import split
from voicetraits.audio.convert import INDEX_COLUMNS
from voicetraits.dataset.split import SharedClipsError
from voicetraits.storage.shards import INDEX, write_table

COLUMNS = [
    *("clip", "locale", "corpus", "source", "speaker", "gender"),
    *("sentence", "shard", "row", "label", "part", "left_out", "repeat"),
]
PARTS = ("training", "validation", "test")


@pytest.fixture
def stage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., pd.DataFrame]:
    """Run the stage on two locales of 12 speakers each, one of whom is in both."""
    monkeypatch.chdir(tmp_path)
    for locale, shift in (("es", 2), ("en", 0)):
        rows = []
        for number in range(12):
            # Two of each part and gender in turn; speaker 0 is the same person in both locales, in
            # the test part of es and the training part of en.
            speaker = f"{locale}{number}" if number else "both"
            gender, part = ("male", "female")[number % 2], PARTS[(number // 2 + shift) % 3]
            for clip in range(2):
                name = f"{number}_{clip}.mp3"
                checksum = f"{locale}{name}"
                row = 2 * number + clip
                rows.append(
                    (
                        name,
                        locale,
                        speaker,
                        gender,
                        "",
                        "",
                        "",
                        name,
                        part,
                        1.0,
                        checksum,
                        "",
                        0,
                        row,
                    )
                )
        index = pd.DataFrame(rows, columns=INDEX_COLUMNS)
        write_table(Path("data/wav", locale, INDEX), index)

    def run(*arguments: str, seed: int = 1, by: str = "speaker", **corpus: str) -> pd.DataFrame:
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["locales"] = ["es", "en"]
        params["corpus"] |= corpus
        params["seed"], params["protocol"]["split_by"] = seed, by
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        split.main(*arguments)
        return pd.read_parquet(Path("data/splits", f"{'-'.join(arguments)}.parquet"))

    return run


@pytest.mark.parametrize("arguments", [("gender", "es"), ("language", "all")])
def test_both_splits_have_one_form_and_keep_speakers_apart(stage, arguments):
    for splits in ("ours", "common_voice"):
        table = stage(*arguments, splits=splits)
        assert list(table.columns) == COLUMNS
        assert set(table["part"]) == set(PARTS)
        assert (table.groupby("speaker")["part"].nunique() == 1).all()


def test_the_parts_are_those_of_the_index(stage, capsys):
    index = pd.read_parquet(Path("data/wav/es", INDEX))
    table = stage("gender", "es", splits="common_voice")
    for column in ("part", "sentence"):
        assert table[column].tolist() == index[column].tolist()
    assert "left out" not in capsys.readouterr().out


def test_a_speaker_in_parts_of_two_locales_stays_in_the_test_part_and_that_is_said(stage, capsys):
    table = stage("language", "all", splits="common_voice")
    both = table[table["speaker"] == "both"]
    assert both[["locale", "part"]].to_numpy().tolist() == [["es", "test"]] * 2
    assert (
        "language-all: 2 clips excluded, of speakers in two of the parts" in capsys.readouterr().out
    )
    assert len(table) == 46


def change_index(locale: str, **columns: Sequence[str]) -> None:
    """Give the first rows of a locale's index other values."""
    path = Path("data/wav", locale, INDEX)
    index = pd.read_parquet(path)
    for column, values in columns.items():
        index.loc[: len(values) - 1, column] = values
    write_table(path, index)


def test_clips_in_the_corpora_of_two_languages_stop_the_run(stage):
    same = pd.read_parquet(Path("data/wav/en", INDEX)).loc[:1, "checksum"].tolist()
    change_index("es", checksum=same)
    stage("gender", "es")  # which reads one locale alone
    with pytest.raises(SharedClipsError, match=r"^en and es: 2 clips .* 0_0\.mp3 in en, .* in es"):
        stage("language", "all")


@pytest.mark.parametrize("splits", ["ours", "common_voice"])
def test_a_clip_that_two_speakers_have_is_in_one_part_alone(stage, capsys, splits):
    index = pd.read_parquet(Path("data/wav/es", INDEX))
    checksums = index["checksum"].to_numpy().copy()
    checksums[1::2] = "shared"  # the second clip of every speaker
    change_index("es", checksum=checksums)
    table = stage("gender", "es", splits=splits)
    assert "checksum" not in table
    shared = table["clip"].str.endswith("_1.mp3")
    assert set(table.loc[shared, "part"]) == {"test"}
    assert set(table.loc[~shared, "part"]) == set(PARTS)
    left_out = len(index) - len(table)
    assert left_out == 12 - shared.sum() > 0
    said = f"gender-es: {left_out} clips excluded, which another speaker has in another part"
    assert said in capsys.readouterr().out


def test_seed_and_unit_of_the_parameters_decide_over_the_parts(stage):
    first = stage("gender", "es")
    pd.testing.assert_frame_equal(stage("gender", "es"), first)
    assert (stage("gender", "es", seed=2)["part"] != first["part"]).any()
    by_clip = stage("gender", "es", by="clip")
    assert (by_clip.groupby("speaker")["part"].nunique() > 1).any()
