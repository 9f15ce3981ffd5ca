"""Extraction: array shards in the order of the WAV shards, whatever the number of workers."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import audio_file, clips_of_one_speaker, folder_bytes, tone

from benchmarks._reference import reference_features
from voicetraits.audio.convert import convert
from voicetraits.audio.wav import read_wav
from voicetraits.dataset.arrays import read_clips_arrays
from voicetraits.dataset.frames import StoredFrames
from voicetraits.features.extract import extract
from voicetraits.features.mel import log_mel_frames
from voicetraits.features.short_term import short_term_features
from voicetraits.features.spectrogram import log_mel
from voicetraits.params import Clip, Extract
from voicetraits.storage.shards import INDEX, read_wavs, shard_name, write_table

CLIP = Clip(sample_rate=16000, seconds=0.5, longest=0.5)
WINDOW, HOP, FRAMES = 800, 480, 16
ANALYSIS = Extract(window=0.05, frames=FRAMES)
# Rising, so that the order of the clips shows in what is extracted.
PITCHES = [200 * 1.25**number for number in range(11)]


@pytest.fixture(scope="module")
def wavs(tmp_path_factory):
    """Eleven tones in shards of three, and a shard in the middle without a usable clip."""
    clips = [(f"clip_{n:02}.wav", tone(hertz, 16000)) for n, hertz in enumerate(PITCHES)]
    files = [(name, audio_file(signal, 16000)) for name, signal in clips]
    files[6:6] = [(f"broken_{number}.wav", b"text") for number in range(3)]
    table = clips_of_one_speaker([name for name, _ in files])
    out = tmp_path_factory.mktemp("wav") / "es"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 3)
        convert(table, files, CLIP, locale="es", out=out, workers=1)
    return out


@pytest.mark.parametrize(
    ("representation", "function"), [("features", short_term_features), ("spectrogram", log_mel)]
)
def test_each_row_is_what_its_wav_gives(wavs, tmp_path, representation, function):
    out = tmp_path / representation / "es"
    count = extract(wavs, representation, clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    index = pd.read_parquet(wavs / INDEX)
    assert count == len(index) == len(PITCHES)
    arrays = read_clips_arrays(index, {"es": out})
    assert arrays.shape == (len(PITCHES), 68, FRAMES)
    assert arrays.dtype == np.float32
    for shard, rows in index.groupby("shard"):
        stored = np.load(out / shard_name(shard, "npy"))
        assert stored.dtype == np.float32
        assert len(stored) == len(rows)
        for array, wav in zip(stored, read_wavs(wavs / shard_name(shard, "tar")), strict=True):
            expected = function(*read_wav(wav), window=WINDOW, hop=HOP)
            np.testing.assert_array_equal(array, expected.astype(np.float32))


def test_the_features_are_those_of_pyaudioanalysis(wavs, tmp_path):
    out = tmp_path / "es"
    extract(wavs, "features", clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    for path in sorted(out.iterdir()):
        clips = [read_wav(wav) for wav in read_wavs(wavs / path.with_suffix(".tar").name)]
        expected = [reference_features(*clip, window=WINDOW, hop=HOP) for clip in clips]
        np.testing.assert_allclose(np.load(path), expected, atol=1e-6)


def test_the_order_is_that_of_the_clips(wavs, tmp_path):
    out = tmp_path / "es"
    index = pd.read_parquet(wavs / INDEX)
    assert list(index["clip"]) == sorted(index["clip"])
    extract(wavs, "spectrogram", clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    loudest_band = read_clips_arrays(index, {"es": out}).mean(axis=2).argmax(axis=1)
    assert (np.diff(loudest_band) > 0).all()
    extract(wavs, "features", clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    zero_crossings = read_clips_arrays(index, {"es": out})[:, 0].mean(axis=1)
    assert (np.diff(zero_crossings) > 0).all()


def test_a_shard_without_clips_is_left_out(wavs, tmp_path):
    extract(wavs, "spectrogram", clip=CLIP, analysis=ANALYSIS, out=tmp_path / "es", workers=1)
    names = sorted(path.name for path in (tmp_path / "es").iterdir())
    assert names == ["00000.npy", "00001.npy", "00003.npy", "00004.npy"]


def test_few_shards_start_no_workers(wavs, tmp_path, monkeypatch):
    asked = []

    def map_shards(*_, workers, **__):
        asked.append(workers)
        return iter([[], [], [], []])

    monkeypatch.setattr("voicetraits.workers.pool.cores", lambda: 8)
    monkeypatch.setattr("voicetraits.features.extract.map_shards", map_shards)
    for representation in ("features", "spectrogram"):
        extract(wavs, representation, clip=CLIP, analysis=ANALYSIS, out=tmp_path / "es")
    assert asked == [1, 1]


@pytest.mark.slow
def test_one_and_two_workers_write_the_same_bytes(wavs, tmp_path):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        extract(wavs, "features", clip=CLIP, analysis=ANALYSIS, out=out, workers=workers)
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "2")


def test_a_locale_without_clips_gives_an_empty_folder(tmp_path):
    convert(clips_of_one_speaker([]), [], CLIP, locale="es", out=tmp_path / "wav", workers=1)
    out = tmp_path / "features"
    assert extract(tmp_path / "wav", "features", clip=CLIP, analysis=ANALYSIS, out=out) == 0
    assert list(out.iterdir()) == []


def test_a_broken_shard_is_an_error_and_keeps_the_earlier_arrays(wavs, tmp_path):
    broken = tmp_path / "wav"
    broken.mkdir()
    (broken / INDEX).write_bytes((wavs / INDEX).read_bytes())
    for path in wavs.glob("*.tar"):
        (broken / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "arrays" / "es"
    extract(broken, "spectrogram", clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    before = folder_bytes(out)
    (broken / "00003.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"00003\.tar"):
        extract(broken, "spectrogram", clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    assert folder_bytes(out) == before


@pytest.mark.parametrize("budget_gb", [1, 0], ids=["memory", "disk"])
def test_clips_of_any_length_are_read_by_frame(wavs, tmp_path, budget_gb):
    out = tmp_path / "mel" / "es"
    assert extract(wavs, "mel", clip=CLIP, analysis=ANALYSIS, out=out, workers=1) == len(PITCHES)
    index = pd.read_parquet(wavs / INDEX).sample(frac=1, random_state=0)
    stored = StoredFrames(index, {"es": out}, budget_gb=budget_gb)
    assert (len(stored), stored.bands) == (len(index), 64)
    for number, row in enumerate(index.itertuples()):
        wav = list(read_wavs(wavs / shard_name(row.shard, "tar")))[row.row]
        expected = log_mel_frames(*read_wav(wav)).T.astype(np.float16)
        length = stored.length(number)
        assert length == len(expected)
        np.testing.assert_array_equal(stored.crop(number, 0, length), expected)
        np.testing.assert_array_equal(stored.crop(number, 2, 5), expected[2:7])
        # A short clip is repeated.
        twice = np.concatenate([expected, expected])
        np.testing.assert_array_equal(stored.crop(number, 0, 2 * length), twice)


def test_frames_that_are_not_there_are_named(wavs, tmp_path):
    out = tmp_path / "mel" / "es"
    extract(wavs, "mel", clip=CLIP, analysis=ANALYSIS, out=out, workers=1)
    index = pd.read_parquet(wavs / INDEX)
    with pytest.raises(ValueError, match=r"frames\.parquet: no row 99 of shard 0"):
        StoredFrames(index.head(1).assign(row=99), {"es": out}, budget_gb=0)
    stored = StoredFrames(index, {"es": out}, budget_gb=0)
    path = out / shard_name(int(index["shard"].iloc[0]), "npy")
    path.write_bytes(path.read_bytes()[:300])
    with pytest.raises(ValueError, match=r"00000\.npy: no frame"):
        stored.crop(0, 0, stored.length(0))
    with pytest.raises(ValueError, match=r"00000\.npy: no frame of its end .* `make repro`"):
        StoredFrames(index, {"es": out}, budget_gb=1)
    path.write_bytes(b"text")
    with pytest.raises(ValueError, match=r"00000\.npy: not an array shard"):
        StoredFrames(index, {"es": out}, budget_gb=0)
    with pytest.raises(ValueError, match="no clips"):
        StoredFrames(index.head(0), {"es": out}, budget_gb=0)


def test_a_locale_without_clips_has_the_columns_of_its_frames(tmp_path):
    wavs, out = tmp_path / "wav" / "es", tmp_path / "mel" / "es"
    wavs.mkdir(parents=True)
    write_table(wavs / INDEX, pd.DataFrame({"shard": []}, dtype=int))
    assert extract(wavs, "mel", clip=CLIP, analysis=ANALYSIS, out=out, workers=1) == 0
    columns = list(pd.read_parquet(out / "frames.parquet"))
    assert columns == ["shard", "row", "start", "frames"]


def test_the_level_of_a_clip_changes_nothing_in_its_log_mel():
    signal = tone(300, 16000) * 0.9 + np.random.default_rng(0).normal(0, 0.02, 16000)
    loud, quiet = (
        log_mel_frames((signal * gain * 2**15).astype(np.int16), 16000) for gain in (1.0, 0.25)
    )
    np.testing.assert_allclose(loud, quiet, atol=0.05)
