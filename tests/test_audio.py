"""Any audio file in, one fixed-length mono clip out; or one reason why not."""

from __future__ import annotations

import io
import math
import sys
import wave
from typing import Any

import numpy as np
import pytest
from conftest import audio_file, tone
from hypothesis import given, settings
from hypothesis import strategies as st

from voicetraits.audio.decode import AudioError, decode
from voicetraits.audio.wav import fix_length, read_wav, wav_bytes, write_wav

RATE = 16000
# libsndfile writes MP3 with one or two channels only.
FORMATS = [("MP3", 1), ("MP3", 2)] + [
    (format, channels) for format in ("WAV", "FLAC", "OGG") for channels in (1, 2, 8)
]


def alike(signal: np.ndarray, other: np.ndarray) -> float:
    """Correlation of two signals that should be the same, sample by sample."""
    length = min(len(signal), len(other))
    return float(np.corrcoef(signal[:length], other[:length])[0, 1])


def pcm_of(segment) -> np.ndarray:
    return np.array(segment.get_array_of_samples())


def noise(rate: int, channels: int) -> np.ndarray:
    """Three seconds of noise, shape (samples, channels), float32."""
    rng = np.random.default_rng(1)
    return rng.normal(0, 0.1, (3 * rate, channels)).astype(np.float32)


def signal_of(data: bytes, **options: Any) -> np.ndarray:
    return decode(data, **options).signal


@pytest.mark.parametrize("rate", [8000, 16000, 22050, 32000, 44100, 48000])
@pytest.mark.parametrize(("format", "channels"), FORMATS)
def test_every_format_rate_and_channel_count_gives_the_same_mono_signal(format, channels, rate):
    source = np.tile(tone(440, rate)[:, None], (1, channels))
    signal = signal_of(audio_file(source, rate, format), name="clip", sample_rate=RATE)
    expected = tone(440, RATE)
    assert signal.dtype == np.float32
    assert abs(len(signal) - RATE) <= 1
    assert alike(signal, expected) > 0.995  # at no shift: nothing is delayed
    assert np.std(signal) == pytest.approx(np.std(expected), rel=0.05)


@pytest.mark.parametrize("wanted", [8000, 16000, 22050, 48000])
def test_the_wanted_rate_is_the_one_given(wanted):
    signal = signal_of(audio_file(tone(440, 32000), 32000), name="a.wav", sample_rate=wanted)
    assert abs(len(signal) - wanted) <= 1
    assert alike(signal, tone(440, wanted)) > 0.999


def test_a_tone_above_the_new_nyquist_frequency_does_not_fold_back():
    signal = signal_of(audio_file(tone(11000, 48000), 48000), name="a.wav", sample_rate=RATE)
    assert np.abs(signal).max() < 0.001


def test_the_channels_are_averaged():
    left = tone(440, RATE)
    stereo = np.stack([left, np.zeros_like(left)], axis=1)
    signal = signal_of(audio_file(stereo, RATE, subtype="FLOAT"), name="a.wav", sample_rate=RATE)
    np.testing.assert_allclose(signal, left / 2, atol=1e-6)


def test_an_ending_that_is_wrong_does_not_matter_to_what_libsndfile_reads():
    flac = audio_file(tone(440, RATE), RATE, "FLAC")
    assert alike(signal_of(flac, name="a.mp3", sample_rate=RATE), tone(440, RATE)) > 0.999


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "a.m4a", "a.txt", "a"])
@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty file"),
        (b"This is text, not speech.\n" * 50, "not readable as audio: "),
        (b"\0" * 2000, "not readable as audio: "),
    ],
    ids=["empty", "text", "zeros"],
)
def test_a_file_that_is_no_audio_is_refused_with_the_reason(data, reason, name):
    with pytest.raises(AudioError, match=f"^{reason}"):
        signal_of(data, name=name, sample_rate=RATE)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_samples_that_are_not_numbers_are_refused(value):
    signal = tone(440, RATE)
    signal[100] = value
    data = audio_file(signal, RATE, subtype="FLOAT")
    with pytest.raises(AudioError, match="not numbers"):
        signal_of(data, name="a.wav", sample_rate=RATE)


@pytest.mark.parametrize("rate", [RATE, 48000])
def test_a_file_without_samples_is_refused(rate):
    with pytest.raises(AudioError, match="no samples"):
        signal_of(audio_file(np.zeros(0), rate), name="a.wav", sample_rate=RATE)


@pytest.mark.parametrize("format", ["MP3", "WAV", "FLAC", "OGG"])
@pytest.mark.parametrize("samples", [1, RATE])
def test_silence_is_refused(format, samples):
    with pytest.raises(AudioError, match="silence alone"):
        signal_of(audio_file(np.zeros(samples), RATE, format), name="a", sample_rate=RATE)


@pytest.mark.parametrize("format", ["WAV", "FLAC"])
@pytest.mark.parametrize("level", [0.0, 0.25])
def test_one_constant_level_is_silence_and_the_faintest_sound_is_none(format, level):
    signal = np.full(RATE, level)
    with pytest.raises(AudioError, match="silence alone"):
        signal_of(audio_file(signal, RATE, format), name="a", sample_rate=RATE)
    signal[100] += 2**-14
    assert len(signal_of(audio_file(signal, RATE, format), name="a", sample_rate=RATE)) == RATE


@pytest.mark.parametrize("seconds", [0.5, 1.99, 2.0, 5.0, math.inf])
@pytest.mark.parametrize(("format", "rate"), [("MP3", 32000), ("WAV", 48000), ("FLAC", 16000)])
def test_the_duration_is_that_of_the_whole_file_however_little_is_decoded(format, rate, seconds):
    data = audio_file(tone(440, rate, seconds=2.0), rate, format)
    sound = decode(data, name="a", sample_rate=RATE, seconds=seconds)
    assert sound.duration == pytest.approx(2.0, abs=0.1 if format == "MP3" else 1e-9)


@pytest.mark.parametrize("format", ["WAV", "MP3", "FLAC", "OGG"])
@pytest.mark.parametrize(("rate", "channels"), [(48000, 2), (RATE, 1), (44100, 1)])
def test_a_long_file_is_decoded_piece_by_piece_to_the_same(monkeypatch, format, rate, channels):
    data = audio_file(noise(rate, channels), rate, format)
    whole = decode(data, name="a", sample_rate=RATE)
    monkeypatch.setattr("voicetraits.audio.decode._AT_A_TIME", 0.7)
    pieces = decode(data, name="a", sample_rate=RATE)
    np.testing.assert_allclose(pieces.signal, whole.signal, atol=2e-7)  # MP3 is rounded anew
    assert (pieces.duration, pieces.note) == (whole.duration, whole.note)


def test_where_a_long_file_is_out_of_phase_one_channel_is_heard(monkeypatch):
    left = noise(RATE, 1)
    left[:RATE] = 0  # the first piece is silent, and says nothing
    data = audio_file(np.concatenate([left, -0.9 * left], axis=1), RATE)
    monkeypatch.setattr("voicetraits.audio.decode._AT_A_TIME", 0.7)
    sound = decode(data, name="a", sample_rate=RATE)
    assert sound.note == "one channel of an out-of-phase recording"
    assert alike(sound.signal, left[:, 0]) > 0.999


def test_a_long_file_that_is_damaged_later_gives_the_rest(monkeypatch):
    data = bytearray(audio_file(noise(RATE, 1), RATE, "FLAC"))
    data[len(data) // 2 : len(data) // 2 + 200] = bytes(200)
    monkeypatch.setattr("voicetraits.audio.decode._AT_A_TIME", 0.4)
    sound = decode(bytes(data), name="a", sample_rate=RATE)
    assert 1.0 < sound.duration < 3.0


@pytest.mark.parametrize("at", [0.2, 2.5])
def test_a_long_file_with_samples_that_are_not_numbers_is_refused(monkeypatch, at):
    samples = noise(RATE, 1)
    samples[round(at * RATE)] = math.nan
    monkeypatch.setattr("voicetraits.audio.decode._AT_A_TIME", 0.7)
    with pytest.raises(AudioError, match="samples that are not numbers"):
        decode(audio_file(samples, RATE, subtype="FLOAT"), name="a", sample_rate=RATE)


@pytest.mark.parametrize("rate", [1, 999, 400_001, 2**31 - 1])
def test_a_sample_rate_that_no_recorder_has_is_refused(rate):
    data = bytearray(audio_file(tone(440, RATE), RATE))
    data[24:28] = rate.to_bytes(4, "little")
    with pytest.raises(AudioError, match="a sample rate that no recorder has"):
        signal_of(bytes(data), name="a.wav", sample_rate=RATE)


def test_hundreds_of_channels_are_refused():
    with pytest.raises(AudioError, match="more than 32 channels"):
        signal_of(audio_file(np.ones((100, 200)), RATE), name="a.wav", sample_rate=RATE)


@pytest.mark.parametrize(
    ("library", "seconds"),
    [
        ("soundfile.SoundFile.read", math.inf),
        ("soxr.ResampleStream", math.inf),
        ("soxr.resample", 1.0),
    ],
)
@pytest.mark.parametrize("kind", [ValueError, RuntimeError, AssertionError, ZeroDivisionError])
def test_whatever_a_library_makes_of_garbage_is_a_reason(monkeypatch, library, seconds, kind):
    def fails(*_: Any, **__: Any) -> None:
        raise kind("of its own")

    monkeypatch.setattr(library, fails)
    data = audio_file(tone(440, 32000), 32000)
    with pytest.raises(AudioError, match=f"^not decodable: {kind.__name__}: of its own$"):
        decode(data, name="a.wav", sample_rate=RATE, seconds=seconds)


def test_a_machine_without_the_decoder_is_no_fault_of_the_clip(monkeypatch):
    monkeypatch.setitem(sys.modules, "av", None)
    with pytest.raises(ImportError):
        decode(b"for FFmpeg" * 100, name="a.m4a", sample_rate=RATE)


@pytest.mark.parametrize("format", ["MP3", "WAV", "FLAC", "OGG"])
def test_a_file_cut_short_gives_the_part_that_is_there(format):
    noise = np.random.default_rng(0).normal(0, 0.1, 10 * RATE)
    data = audio_file(noise, RATE, format)
    whole = signal_of(data, name=f"a.{format}", sample_rate=RATE)
    start = signal_of(data[: len(data) // 2], name=f"a.{format}", sample_rate=RATE)
    assert 3 * RATE < len(start) < 7 * RATE
    np.testing.assert_allclose(start[: 3 * RATE], whole[: 3 * RATE], atol=1e-3)


@pytest.mark.parametrize("format", ["MP3", "WAV", "FLAC", "OGG"])
def test_a_damaged_file_gives_numbers_or_a_reason_and_nothing_else(format):
    whole = audio_file(tone(440, 32000), 32000, format)
    rng = np.random.default_rng(5)
    outcomes = set()
    for _ in range(150):
        damaged = bytearray(whole)
        for place in rng.integers(0, rng.choice([100, len(whole)]), size=rng.integers(1, 6)):
            damaged[place] = rng.integers(256)
        cut = int(rng.integers(1, len(whole) + 1)) if rng.random() < 0.3 else len(whole)
        try:
            signal = signal_of(bytes(damaged[:cut]), name="a", sample_rate=RATE, seconds=0.5)
        except AudioError as error:
            assert str(error)
            outcomes.add("refused")
        else:
            assert len(signal) and np.isfinite(signal).all()
            outcomes.add("decoded")
    assert "refused" in outcomes


def test_a_header_that_promises_terabytes_does_no_harm():
    flac = bytearray(audio_file(tone(440, RATE), RATE, "FLAC"))
    assert flac[:4] == b"fLaC"
    flac[21] |= 0x0F  # the upper bits of the number of samples
    flac[22:26] = b"\xff" * 4
    try:
        signal = signal_of(bytes(flac), name="a.flac", sample_rate=RATE)
    except AudioError:
        return
    assert len(signal) <= RATE + 1  # a machine that hands out memory it does not have


@given(
    length=st.integers(1, 3000),
    samples=st.integers(1, 3000),
    rate=st.integers(8000, 48000),
)
def test_the_length_is_exact_with_silence_at_the_end_or_the_end_cut(length, samples, rate):
    signal = np.random.default_rng(length).uniform(-1, 1, length)
    segment = fix_length(signal, rate, samples=samples)
    assert (segment.channels, segment.sample_width, segment.frame_rate) == (1, 2, rate)
    expected = np.zeros(samples, np.int16)
    kept = min(length, samples)
    expected[:kept] = np.clip(np.round(signal[:kept] * 32768), -32768, 32767)
    np.testing.assert_array_equal(pcm_of(segment), expected)


@settings(max_examples=20)
@given(samples=st.integers(400_000, 3_000_000), rate=st.sampled_from([8000, 16000, 44100, 48000]))
def test_the_length_is_exact_for_long_clips_too(samples, rate):
    assert len(pcm_of(fix_length(np.zeros(10), rate, samples=samples))) == samples


def test_loud_samples_are_clipped_and_do_not_wrap_around():
    signal = np.array([0.0, 1.0, 1.5, 100.0, -1.0, -1.5, -100.0, 0.5])
    pcm = pcm_of(fix_length(signal, RATE, samples=8))
    assert pcm.tolist() == [0, 32767, 32767, 32767, -32768, -32768, -32768, 16384]


@pytest.mark.parametrize("format", ["MP3", "WAV", "FLAC", "OGG"])
@pytest.mark.parametrize("rate", [16000, 32000, 48000])
def test_decoding_only_the_start_changes_nothing_in_the_fixed_length_clip(format, rate):
    noise = np.random.default_rng(0).normal(0, 0.1, rate)
    data = audio_file(noise, rate, format)
    samples = int(0.4 * RATE)
    whole = signal_of(data, name="a", sample_rate=RATE)
    start = signal_of(data, name="a", sample_rate=RATE, seconds=0.4)
    assert samples <= len(start) < len(whole)
    assert wav_bytes(fix_length(start, RATE, samples=samples)) == wav_bytes(
        fix_length(whole, RATE, samples=samples)
    )


@given(st.lists(st.integers(-32768, 32767), min_size=1, max_size=200), st.integers(8000, 48000))
def test_a_wav_file_gives_back_the_very_samples(values, rate):
    pcm = np.array(values, np.int16)
    segment = fix_length(pcm / 32768, rate, samples=len(pcm))
    samples, found = read_wav(wav_bytes(segment))
    assert samples.dtype == np.int16
    assert found == rate
    np.testing.assert_array_equal(samples, pcm)


def test_a_wav_file_can_be_read_by_others():
    with wave.open(io.BytesIO(wav_bytes(fix_length(tone(440, RATE), RATE, samples=RATE)))) as file:
        layout = (file.getnchannels(), file.getsampwidth(), file.getframerate(), file.getnframes())
    assert layout == (1, 2, RATE, RATE)


def test_a_written_wav_keeps_its_own_length(tmp_path):
    path = tmp_path / "deep" / "down" / "a.wav"
    write_wav(path, tone(440, 22050, seconds=0.123), 22050)
    samples, rate = read_wav(path.read_bytes())
    assert (len(samples), rate) == (round(0.123 * 22050), 22050)
    assert alike(samples, tone(440, 22050, seconds=0.123)) > 0.999
    assert [file.name for file in path.parent.iterdir()] == ["a.wav"]


def test_an_mp3_that_is_cut_off_at_once_is_not_said_to_be_missing():
    data = audio_file(tone(440, 16000), 16000, "MP3")[:200]
    with pytest.raises(AudioError, match="cut off"):
        decode(data, name="a.mp3", sample_rate=16000)
