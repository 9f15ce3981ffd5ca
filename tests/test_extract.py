"""Extraction: array shards in the order of the WAV shards, whatever the number of workers."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, audio_file, folder_bytes, tone

from stages import extract as stage
from voicetraits.audio.convert import convert
from voicetraits.audio.wav import read_wav
from voicetraits.dataset.arrays import read_clips_arrays
from voicetraits.features import extract as extraction
from voicetraits.features.extract import extract
from voicetraits.features.short_term import short_term_features
from voicetraits.features.spectrogram import log_mel
from voicetraits.params import Clip
from voicetraits.storage.shards import INDEX, read_wavs, shard_name

CLIP = Clip(sample_rate=16000, seconds=0.5)
WINDOW, HOP, FRAMES = 800, 480, 16
# Rising, so that the order of the clips shows in what is extracted.
PITCHES = [200 * 1.25**number for number in range(11)]


@pytest.fixture(scope="module")
def wavs(tmp_path_factory):
    """Eleven tones in shards of three, and a shard in the middle without a usable clip."""
    clips = [(f"clip_{n:02}.wav", tone(hertz, 16000)) for n, hertz in enumerate(PITCHES)]
    files = [(name, audio_file(signal, 16000)) for name, signal in clips]
    files[6:6] = [(f"broken_{number}.wav", b"text") for number in range(3)]
    names = [name for name, _ in files]
    table = pd.DataFrame({"clip": names, "speaker": "s", "gender": "male"})
    table = table.assign(duration=np.nan, part="", excluded="")
    out = tmp_path_factory.mktemp("wav") / "es"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 3)
        convert(table, files, CLIP, locale="es", out=out, workers=1)
    return out


def test_the_stage_takes_the_engine_that_the_parameters_name(wavs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    shutil.copytree(wavs, "data/wav/es")
    zeros = lambda *_, **__: np.zeros((68, FRAMES))  # noqa: E731
    monkeypatch.setitem(
        extraction._METHODS, "pyaudioanalysis", extraction._Method(zeros, shards_per_worker=9)
    )
    found = {}
    for engine in ("fast", "pyaudioanalysis"):
        params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
        params["clip"]["seconds"] = CLIP.seconds
        params["extract"] |= {"frames": FRAMES, "engine": engine}
        Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
        stage.main("es", "features")
        found[engine] = np.load(Path("data/features/es", shard_name(0, "npy")))
    assert found["fast"].any()
    assert not found["pyaudioanalysis"].any()


@pytest.mark.parametrize(
    ("representation", "function"), [("features", short_term_features), ("spectrogram", log_mel)]
)
def test_each_row_is_what_its_wav_gives(wavs, tmp_path, representation, function):
    out = tmp_path / representation / "es"
    count = extract(wavs, representation, window=WINDOW, hop=HOP, out=out, workers=1)
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


def test_the_reference_engine_computes_the_features_with_pyaudioanalysis(
    wavs, tmp_path, monkeypatch
):
    from pyAudioAnalysis import ShortTermFeatures

    original = ShortTermFeatures.feature_extraction
    calls = []
    monkeypatch.setattr(
        ShortTermFeatures,
        "feature_extraction",
        lambda *arguments: calls.append(1) or original(*arguments),
    )
    arrays = {}
    for engine in ("fast", "pyaudioanalysis"):
        out = tmp_path / engine / "es"
        extract(wavs, "features", window=WINDOW, hop=HOP, out=out, engine=engine, workers=1)
        arrays[engine] = read_clips_arrays(pd.read_parquet(wavs / INDEX), {"es": out})
        assert len(calls) == (0 if engine == "fast" else len(PITCHES))
    np.testing.assert_allclose(arrays["fast"], arrays["pyaudioanalysis"], atol=1e-6)


def test_the_order_is_that_of_the_clips(wavs, tmp_path):
    out = tmp_path / "es"
    index = pd.read_parquet(wavs / INDEX)
    assert list(index["clip"]) == sorted(index["clip"])
    extract(wavs, "spectrogram", window=WINDOW, hop=HOP, out=out, workers=1)
    loudest_band = read_clips_arrays(index, {"es": out}).mean(axis=2).argmax(axis=1)
    assert (np.diff(loudest_band) > 0).all()
    extract(wavs, "features", window=WINDOW, hop=HOP, out=out, workers=1)
    zero_crossings = read_clips_arrays(index, {"es": out})[:, 0].mean(axis=1)
    assert (np.diff(zero_crossings) > 0).all()


def test_a_shard_without_clips_is_left_out(wavs, tmp_path):
    extract(wavs, "spectrogram", window=WINDOW, hop=HOP, out=tmp_path / "es", workers=1)
    names = sorted(path.name for path in (tmp_path / "es").iterdir())
    assert names == ["00000.npy", "00001.npy", "00003.npy", "00004.npy"]


@pytest.mark.parametrize(
    ("representation", "engine", "expected"),
    [
        ("features", "fast", 1),
        ("features", "pyaudioanalysis", 4),
        ("spectrogram", "fast", 1),
        ("spectrogram", "pyaudioanalysis", 1),
    ],
)
def test_only_slow_work_starts_workers_for_a_few_shards(
    wavs, tmp_path, monkeypatch, representation, engine, expected
):
    asked = []

    def map_shards(*_, workers, **__):
        asked.append(workers)
        return iter([])

    monkeypatch.setattr("voicetraits.workers.pool.cores", lambda: 8)
    monkeypatch.setattr("voicetraits.features.extract.map_shards", map_shards)
    out = tmp_path / "es"
    extract(wavs, representation, window=WINDOW, hop=HOP, out=out, engine=engine)
    assert asked == [expected]


def test_one_and_two_workers_write_the_same_bytes(wavs, tmp_path):
    for workers in (1, 2):
        out = tmp_path / str(workers)
        extract(wavs, "features", window=WINDOW, hop=HOP, out=out, workers=workers)
    assert folder_bytes(tmp_path / "1") == folder_bytes(tmp_path / "2")


def test_a_locale_without_clips_gives_an_empty_folder(tmp_path):
    columns = ["clip", "speaker", "gender", "part", "excluded"]
    table = pd.DataFrame({name: [] for name in columns}, dtype=str).assign(duration=np.nan)
    convert(table, [], CLIP, locale="es", out=tmp_path / "wav", workers=1)
    out = tmp_path / "features"
    assert extract(tmp_path / "wav", "features", window=WINDOW, hop=HOP, out=out) == 0
    assert list(out.iterdir()) == []


def test_a_broken_shard_is_an_error_and_keeps_the_earlier_arrays(wavs, tmp_path):
    broken = tmp_path / "wav"
    broken.mkdir()
    (broken / INDEX).write_bytes((wavs / INDEX).read_bytes())
    for path in wavs.glob("*.tar"):
        (broken / path.name).write_bytes(path.read_bytes())
    out = tmp_path / "arrays" / "es"
    extract(broken, "spectrogram", window=WINDOW, hop=HOP, out=out, workers=1)
    before = folder_bytes(out)
    (broken / "00003.tar").unlink()
    with pytest.raises(FileNotFoundError, match=r"00003\.tar"):
        extract(broken, "spectrogram", window=WINDOW, hop=HOP, out=out, workers=1)
    assert folder_bytes(out) == before
