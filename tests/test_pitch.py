"""Pitch of clips: the right one, none where nothing is voiced, and resumed by shards."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from conftest import audio_file, clips_of_one_speaker, tone

from voicetraits.audio.convert import convert
from voicetraits.dataset.pitch import StalePitchError, read_pitch
from voicetraits.features import pitch as module
from voicetraits.features.pitch import measure_pitch, pitch, silent_tail
from voicetraits.params import Clip
from voicetraits.storage.shards import INDEX

RATE = 16000
CLIP = Clip(sample_rate=RATE, seconds=0.8, longest=2.0)
PITCHES = [100.0 * 1.12**number for number in range(7)]


def pcm(signal: np.ndarray) -> np.ndarray:
    return np.round(signal * 2**15).astype(np.int16)


def voice(f0: float, *, seconds: float = 1.0) -> np.ndarray:
    """Pulses of glottal kind: harmonics that fall off by 12 dB an octave."""
    return sum(tone(f0 * n, RATE, seconds=seconds) / n**2 for n in range(1, 9)) / 2


@pytest.mark.parametrize("f0", [80, 120, 210, 300])
def test_the_pitch_of_a_voice_is_found(f0):
    found = pitch(pcm(voice(f0)), RATE)
    assert found.f0 == pytest.approx(f0, rel=0.01)
    assert found.voiced > 0.7


def test_half_a_clip_of_silence_halves_the_voiced_share_and_keeps_the_pitch():
    signal = pcm(voice(150))
    found = pitch(np.concatenate([signal, np.zeros_like(signal)]), RATE)
    assert found.f0 == pytest.approx(150, rel=0.01)
    assert found.voiced == pytest.approx(pitch(signal, RATE).voiced / 2, abs=0.05)


@pytest.mark.parametrize(
    "signal",
    [np.zeros(RATE), np.random.default_rng(0).normal(0, 0.1, RATE), voice(150)[:700], np.zeros(0)],
    ids=["silence", "noise", "shorter than three periods", "empty"],
)
def test_without_voice_there_is_no_pitch(signal):
    found = pitch(pcm(signal), RATE)
    assert np.isnan(found.f0)
    assert found.voiced == 0


@pytest.mark.parametrize("appended", [0.0, 0.25, 1.0])
def test_the_tail_is_the_silence_that_was_appended(appended):
    signal = pcm(0.3 * np.random.default_rng(0).normal(size=RATE).clip(-2, 2))
    whole = np.concatenate([signal, np.zeros(round(appended * RATE), np.int16)])
    assert silent_tail(whole, RATE) == appended


def test_a_silent_clip_is_all_tail():
    assert silent_tail(np.zeros(RATE, np.int16), RATE) == 1.0


@pytest.fixture(scope="module")
def wavs(tmp_path_factory):
    """Seven voices in shards of three, the first of them longer than the one length."""
    files = [
        (f"clip_{n}.wav", audio_file(voice(f0, seconds=0.6 if n else 1.5), RATE))
        for n, f0 in enumerate(PITCHES)
    ]
    table = clips_of_one_speaker([name for name, _ in files])
    out = tmp_path_factory.mktemp("wav") / "es"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("voicetraits.audio.convert.SHARD_CLIPS", 3)
        convert(table, files, CLIP, locale="es", out=out, workers=1)
    return out


def test_every_clip_has_its_row(wavs, tmp_path):
    out = tmp_path / "pitch" / "es.parquet"
    assert measure_pitch(wavs, clip=CLIP, out=out, workers=1) == len(PITCHES)
    assert [path.name for path in out.parent.iterdir()] == [out.name]
    found = pd.read_parquet(out)
    index = pd.read_parquet(wavs / INDEX)[["clip", "shard", "row"]]
    assert found["shard"].nunique() == 3
    pd.testing.assert_frame_equal(found[["clip", "shard", "row"]], index, check_dtype=False)
    np.testing.assert_allclose(found["f0"], PITCHES, rtol=0.02)
    np.testing.assert_allclose(found["seconds"], [1.5] + 6 * [0.6], atol=0.01)
    # The long one was cut, the others ended 0.2 s before.
    assert found["silent_tail"][0] == 0
    assert (found["silent_tail"][1:] >= 0.2).all()


def test_an_interrupted_run_goes_on_with_its_shards(wavs, tmp_path, monkeypatch, capfd):
    whole = tmp_path / "whole.parquet"
    measure_pitch(wavs, clip=CLIP, out=whole, workers=1)
    out = tmp_path / "es.parquet"
    measured = []

    def read(path):
        measured.append(path.name)
        if len(measured) == 3:
            raise KeyboardInterrupt
        return read_wavs(path)

    read_wavs = module.read_wavs
    monkeypatch.setattr(module, "read_wavs", read)
    with pytest.raises(KeyboardInterrupt):
        measure_pitch(wavs, clip=CLIP, out=out, workers=1)
    assert not out.exists()
    measure_pitch(wavs, clip=CLIP, out=out, workers=1)
    assert measured == ["00000.tar", "00001.tar", "00002.tar", "00002.tar"]
    assert "pitch es: 2 of 3 shards were complete already" in capfd.readouterr().err
    assert out.read_bytes() == whole.read_bytes()


@pytest.mark.slow
def test_one_and_two_workers_write_the_same_bytes(wavs, tmp_path):
    for workers in (1, 2):
        measure_pitch(wavs, clip=CLIP, out=tmp_path / f"{workers}.parquet", workers=workers)
    one, two = (tmp_path / f"{workers}.parquet" for workers in (1, 2))
    assert one.read_bytes() == two.read_bytes()


def test_a_locale_without_clips_gives_an_empty_table(tmp_path):
    convert(clips_of_one_speaker([]), [], CLIP, locale="es", out=tmp_path / "wav", workers=1)
    out = tmp_path / "es.parquet"
    assert measure_pitch(tmp_path / "wav", clip=CLIP, out=out) == 0
    assert list(pd.read_parquet(out)) == module._SCHEMA.names


@pytest.fixture
def two_locales(tmp_path) -> tuple[pd.DataFrame, dict]:
    """Clips of two locales in an order of their own, and the pitch tables."""
    files = {locale: tmp_path / f"{locale}.parquet" for locale in ("en", "es")}
    tables = []
    for number, (locale, path) in enumerate(files.items()):
        table = pd.DataFrame({"clip": [f"{locale}_{n}" for n in range(6)]})
        table = table.assign(shard=[0, 0, 0, 1, 1, 1], row=[0, 1, 2] * 2, voiced=0.5, seconds=3.0)
        table = table.assign(silent_tail=0.1, f0=100.0 * number + np.arange(6))
        table.to_parquet(path)
        tables.append(table.assign(locale=locale))
    clips = pd.concat(tables)[["clip", "locale", "shard", "row", "f0"]]
    return clips.sample(frac=0.7, random_state=0), files


def test_pitch_is_read_in_the_order_of_the_clips(two_locales):
    clips, files = two_locales
    found = read_pitch(clips, files)
    assert list(found) == ["f0", "voiced", "seconds", "silent_tail"]
    assert clips["locale"].nunique() == 2
    np.testing.assert_array_equal(found["f0"], clips["f0"])
    assert (found["seconds"] == 3).all()


@pytest.mark.parametrize("change", [{"clip": "es_other"}, {"row": 3}], ids=["clip", "place"])
def test_a_table_of_other_clips_is_refused(two_locales, change):
    clips, files = two_locales
    place = int(np.flatnonzero(clips["locale"] == "es")[0])
    clips = clips.reset_index(drop=True)
    for column, value in change.items():
        clips.loc[place, column] = value
    with pytest.raises(
        StalePitchError, match=rf"es\.parquet: holds no clip {clips['clip'][place]};"
    ):
        read_pitch(clips, files)
