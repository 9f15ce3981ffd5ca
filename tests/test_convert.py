"""Conversion: every selected clip is converted or excluded, and can be found again."""

from __future__ import annotations

import json
import tempfile
from functools import cache
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, audio_file, folder_bytes, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from stages import convert as convert_stage
from voicetraits.audio.audible import CUT_LATER, ONE_CHANNEL
from voicetraits.audio.convert import NOT_IN_CORPUS, convert
from voicetraits.audio.example import EXAMPLE, EXAMPLE_LABEL
from voicetraits.audio.wav import read_wav
from voicetraits.corpus.clips import CLIP_COLUMNS, write_clips
from voicetraits.corpus.layout import TOO_LARGE
from voicetraits.params import Clip
from voicetraits.storage.shards import EXCLUDED, INDEX, read_wavs, shard_name

CLIP = Clip(sample_rate=8000, seconds=0.5, longest=0.5)
BROKEN = {
    "empty": b"",
    "text": b"This is text, not speech.\n" * 20,
    "nan": audio_file(np.full(100, np.nan), 8000, subtype="FLOAT"),
    "no samples": audio_file(np.zeros(0), 8000),
    "silent": audio_file(np.zeros(4000), 8000),
}


@cache
def good(number: int) -> bytes:
    """A clip that can be told from all others by its pitch."""
    rate, format = ((32000, "MP3"), (48000, "WAV"), (8000, "FLAC"))[number % 3]
    return audio_file(tone(pitch(number), rate, seconds=0.4), rate, format)


def pitch(number: int) -> float:
    return 300 + 50 * number


def pitch_of(wav: bytes) -> float:
    """The loudest frequency of a WAV file, in Hz."""
    samples, rate = read_wav(wav)
    return float(np.abs(np.fft.rfft(samples, 16000)).argmax() * rate / 16000)


def clips_of(kinds: list[str]) -> tuple[pd.DataFrame, list[tuple[str, bytes]]]:
    """A clip table with a row per kind, and what a corpus gives for the selected ones."""
    names = [f"clip_{number}.mp3" for number in range(len(kinds))]
    table = pd.DataFrame(
        {
            "clip": names,
            "speaker": [f"speaker{number % 3}" for number in range(len(kinds))],
            "gender": [("male", "female", "")[number % 3] for number in range(len(kinds))],
            "age": ["teens" if number % 2 else "" for number in range(len(kinds))],
            "accent": "",
            "source": "",
            "sentence": names,
            "duration": np.nan,
            "part": ["training" if number % 2 else "" for number in range(len(kinds))],
            "excluded": ["over the cap" if kind == "excluded" else "" for kind in kinds],
        },
    ).astype({"clip": str, "speaker": str, "gender": str, "part": str, "excluded": str})
    files = [
        (name, good(number) if kind == "good" else BROKEN[kind])
        for number, (name, kind) in enumerate(zip(names, kinds, strict=True))
        if kind not in ("excluded", "missing")
    ]
    return table, files


COLUMNS = [
    *("clip", "locale", "speaker", "gender", "age", "accent", "source", "sentence", "part"),
    *("duration", "checksum", "note", "shard", "row"),
]
KINDS = ["good", "missing", "excluded", *BROKEN]
MIXED = [KINDS[number % len(KINDS)] for number in range(2 * len(KINDS))] + ["good"] * 6


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    """Four clips to a shard, so that a few clips make several."""
    monkeypatch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 4)


@settings(max_examples=25, deadline=None)
@given(st.lists(st.sampled_from(KINDS), max_size=14), st.randoms(use_true_random=False))
def test_every_selected_clip_is_converted_or_excluded(kinds, random):
    table, files = clips_of(kinds)
    random.shuffle(files)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder, "es")
        index, excluded = convert(table, files, CLIP, locale="es", out=out, workers=1)
        wavs = sum(len(list(read_wavs(path))) for path in out.glob("*.tar"))
    selected = table.loc[table["excluded"] == "", "clip"]
    assert sorted([*index["clip"], *excluded["clip"]]) == sorted(selected)
    kind_of = dict(zip(table["clip"], kinds, strict=True))
    assert {kind_of[clip] for clip in index["clip"]} <= {"good"}
    assert "good" not in {kind_of[clip] for clip in excluded["clip"]}
    assert wavs == len(index)


def test_the_index_leads_to_the_right_wav_and_keeps_its_labels(tmp_path):
    table, files = clips_of(MIXED)
    index, _ = convert(table, files, CLIP, locale="es", out=tmp_path / "es", workers=1)
    assert list(index.columns) == COLUMNS
    assert index["shard"].nunique() > 2
    rows = index.merge(table, on="clip", suffixes=("", "_given"))
    assert len(rows) == len(index) == MIXED.count("good")
    assert (rows["speaker"] == rows["speaker_given"]).all()
    assert (rows["gender"] == rows["gender_given"]).all()
    assert (rows["part"] == rows["part_given"]).all()
    assert set(rows["part"]) == {"training", ""}
    assert (rows["sentence"] == rows["clip"]).all()
    assert rows["duration"].dtype == np.float32
    assert rows["duration"].tolist() == pytest.approx([0.4] * len(rows), abs=0.1)
    assert set(rows["locale"]) == {"es"}
    for row in index.itertuples():
        wav = list(read_wavs(tmp_path / "es" / shard_name(row.shard, "tar")))[row.row]
        samples, rate = read_wav(wav)
        assert (len(samples), rate) == (pytest.approx(3200, abs=900), CLIP.sample_rate)
        number = int(row.clip.removeprefix("clip_").removesuffix(".mp3"))
        assert pitch_of(wav) == pytest.approx(pitch(number), abs=3)


def test_a_clip_keeps_its_length_up_to_the_longest(tmp_path):
    table, _ = clips_of(["good", "good"])
    files = [
        (name, audio_file(tone(300, 8000, seconds=seconds), 8000))
        for name, seconds in zip(table["clip"], (0.3, 1.5), strict=True)
    ]
    clip = CLIP.model_copy(update={"longest": 1.0})
    convert(table, files, clip, locale="es", out=tmp_path / "es", workers=1)
    wavs = read_wavs(tmp_path / "es" / shard_name(0, "tar"))
    assert [len(read_wav(wav)[0]) for wav in wavs] == [2400, 8000]


def test_each_clip_excluded_has_its_own_reason(tmp_path):
    table, files = clips_of([*BROKEN, "missing", "missing", "good"])
    _, excluded = convert(
        table,
        files,
        CLIP,
        locale="es",
        out=tmp_path / "es",
        workers=1,
        unread={f"clip_{n}.mp3": TOO_LARGE for n in (6, 7)},  # the last is there all the same
    )
    assert dict(excluded.itertuples(index=False)) == {
        "clip_0.mp3": "empty file",
        "clip_1.mp3": "not readable as audio: Format not recognised.",
        "clip_2.mp3": "samples that are not numbers",
        "clip_3.mp3": "no samples",
        "clip_4.mp3": "silence alone",
        "clip_5.mp3": NOT_IN_CORPUS,
        "clip_6.mp3": TOO_LARGE,
    }


def test_a_clip_that_is_not_simply_its_start_has_a_note(tmp_path):
    late = np.concatenate([np.zeros(8000), tone(pitch(1), 8000, seconds=0.4)])
    opposite = np.stack([tone(pitch(2), 8000), -tone(pitch(2), 8000)], axis=1)
    files = {
        "clip_0.mp3": good(0),
        "clip_1.mp3": audio_file(late, 8000),
        "clip_2.mp3": audio_file(opposite, 8000),
    }
    table, _ = clips_of(["good"] * 3)
    out = tmp_path / "es"
    index, excluded = convert(table, files.items(), CLIP, locale="es", out=out, workers=1)
    assert excluded.empty
    assert index["note"].tolist() == ["", CUT_LATER, ONE_CHANNEL]
    for number, wav in enumerate(read_wavs(out / "00000.tar")):
        assert pitch_of(wav) == pytest.approx(pitch(number), abs=3)


@pytest.mark.slow
def test_the_files_hold_what_is_returned_and_do_not_depend_on_the_workers(tmp_path):
    table, files = clips_of(MIXED)

    for workers in (1, 2):
        out = tmp_path / str(workers)
        index, excluded = convert(table, files, CLIP, locale="es", out=out, workers=workers)
        pd.testing.assert_frame_equal(pd.read_parquet(out / INDEX), index)
        pd.testing.assert_frame_equal(pd.read_parquet(out / EXCLUDED), excluded)
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "2")


@pytest.mark.parametrize("kinds", [[], ["excluded"], ["missing", "missing"], ["text"] * 5])
def test_a_locale_without_a_single_usable_clip_still_has_its_tables(tmp_path, kinds):
    table, files = clips_of(kinds)
    convert(table, files, CLIP, locale="es", out=tmp_path / "es", workers=1)
    index = pd.read_parquet(tmp_path / "es" / INDEX)
    assert index.empty
    assert list(index.columns) == COLUMNS
    assert len(pd.read_parquet(tmp_path / "es" / EXCLUDED)) == len(kinds) - kinds.count("excluded")


def test_a_crash_in_the_middle_keeps_the_earlier_conversion(tmp_path):
    out = tmp_path / "es"
    convert(*clips_of(["good"] * 3), CLIP, locale="es", out=out, workers=1)
    before = folder_bytes(out)
    table, files = clips_of(["good"] * 12)

    def breaks_off():
        yield from files[:9]
        raise OSError("the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        convert(table, breaks_off(), CLIP, locale="es", out=out, workers=1)
    assert folder_bytes(out) == before


def test_the_corpus_is_read_as_a_stream(tmp_path):
    table, files = clips_of(["good"] * 12)
    out = tmp_path / "es"

    def watched():
        for number, file in enumerate(files):
            # By the second shard's first clip, the first shard is on the disk.
            if number == 8:
                assert list(tmp_path.rglob("00000.tar"))
            yield file

    index, _ = convert(table, watched(), CLIP, locale="es", out=out, workers=1)
    assert len(index) == 12


def test_large_files_make_small_shards(tmp_path, monkeypatch):
    table, files = clips_of(["good"] * 7)
    sizes = [len(data) for _, data in files]
    # The second and third file fill a shard; four of any size do too.
    monkeypatch.setattr("voicetraits.audio.convert._SHARD_BYTES", sizes[0] + sizes[1])
    index, _ = convert(table, files, CLIP, locale="es", out=tmp_path / "es", workers=1)
    shards = index.groupby("shard").size()
    assert len(shards) > 2
    assert shards.iloc[0] == 2
    assert list(index["clip"]) == [name for name, _ in files]


class TestExample:
    def convert(self, folder: Path, files: list, *, workers: int = 1, **columns: list) -> dict:
        """What is written as the example of clips.

        The table has a row per file, with these columns in place of the usual.
        """
        table, _ = clips_of(["good"] * len(files))
        convert(table.assign(**columns), files, CLIP, locale="es", out=folder, workers=workers)
        if not (folder / EXAMPLE).exists():
            assert not (folder / EXAMPLE_LABEL).exists()
            return {}
        return json.loads((folder / EXAMPLE_LABEL).read_text())

    def files(self, count: int) -> list[tuple[str, bytes]]:
        return [(f"clip_{number}.mp3", good(number)) for number in range(count)]

    def test_it_is_the_labelled_clip_nearest_to_the_median_duration(self, tmp_path):
        durations = [1.0, 2.0, 3.0, 4.0, 9.0]  # clip 2 is at the median, and unlabelled
        labels = ["male", "female", "", "male", "other"]
        label = self.convert(tmp_path, self.files(5), duration=durations, gender=labels)
        assert label == {"clip": "clip_1.mp3", "gender": "female"}
        samples, rate = read_wav((tmp_path / EXAMPLE).read_bytes())
        assert rate == CLIP.sample_rate
        assert len(samples) / rate == pytest.approx(0.4, abs=0.01)  # its own length
        assert pitch_of((tmp_path / EXAMPLE).read_bytes()) == pytest.approx(pitch(1), abs=3)

    def test_without_durations_it_is_the_first_by_name(self, tmp_path):
        assert self.convert(tmp_path, self.files(5)[::-1])["clip"] == "clip_0.mp3"

    def test_a_clip_that_cannot_be_decoded_gives_way_to_the_next(self, tmp_path):
        files = self.files(3)
        files[0], files[1] = ("clip_0.mp3", BROKEN["text"]), ("clip_1.mp3", BROKEN["silent"])
        label = self.convert(tmp_path, files, gender=["male", "male", "female"])
        assert label == {"clip": "clip_2.mp3", "gender": "female"}

    def test_a_long_clip_is_cut(self, tmp_path):
        long = audio_file(tone(440, 8000, seconds=30), 8000, "FLAC")
        assert self.convert(tmp_path, [("clip_0.mp3", long)])
        samples, rate = read_wav((tmp_path / EXAMPLE).read_bytes())
        assert len(samples) == 20 * rate

    @pytest.mark.parametrize(
        "change",
        [{"gender": ["", "other"]}, {"excluded": ["over the cap"] * 2}, {"clip": ["x", "y"]}],
        ids=["unlabelled", "excluded", "missing"],
    )
    def test_there_may_be_none(self, tmp_path, change):
        assert self.convert(tmp_path, self.files(2), **change) == {}


def test_a_clip_that_is_cut_has_no_sentence(tmp_path):
    table, files = clips_of(["good", "good"])
    files[1] = ("clip_1.mp3", audio_file(tone(440, 16000), 8000))
    short = CLIP.model_copy(update={"longest": 1.0})
    index, _ = convert(table, files, short, locale="es", out=tmp_path / "es", workers=1)
    assert index["sentence"].tolist() == ["clip_0.mp3", ""]


def test_the_stage_converts_only_what_is_selected(tmp_path, monkeypatch, capsys):
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpus"]["path"] = "cv"
    params["clip"] = CLIP.model_dump()
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    table, files = clips_of(["good", "excluded", "text", "missing", "good", "good"])
    late = audio_file(np.concatenate([np.zeros(8000), tone(440, 8000)]), 8000)
    files[-1] = ("clip_5.mp3", late)
    clips = tmp_path / "cv" / "es" / "clips"
    clips.mkdir(parents=True)
    (clips.parent / "validated.tsv").write_text("client_id\tpath\n", encoding="utf-8")
    for name, data in [*files, ("clip_1.mp3", good(1)), ("not_listed.mp3", good(7))]:
        (clips / name).write_bytes(data)
    (clips / "clip_3.mp3").symlink_to(tmp_path / "params.yaml")
    table = table.assign(age="", accent="", source="")[CLIP_COLUMNS.names]
    write_clips(table.astype({"duration": "float32"}), tmp_path / "data/clips/es.parquet")
    monkeypatch.chdir(tmp_path)

    convert_stage.main("es")

    index = pd.read_parquet(tmp_path / "data/wav/es" / INDEX)
    assert list(index["clip"]) == ["clip_0.mp3", "clip_4.mp3", "clip_5.mp3"]
    said = capsys.readouterr().out
    assert "es: 3 clips converted, 2 excluded" in said
    assert f"es: 1 of the clips converted: {CUT_LATER}\n" in said
    assert "clip_2.mp3: not readable as audio" in said
    assert "clip_3.mp3: not readable as audio" in said  # a link to a file that is no sound
