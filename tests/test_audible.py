"""What is heard of a recording: out of phase, beginning late, or as it is."""

from __future__ import annotations

import io
import tracemalloc

import numpy as np
import pytest
import soundfile
from conftest import audio_file, recording, tone

from voicetraits.audio.audible import CUT_LATER, ONE_CHANNEL, where_sound_begins
from voicetraits.audio.decode import AudioError, Sound, decode

RATE = 16000
SECONDS = 3.4
FORMATS = pytest.mark.parametrize("format", ["MP3", "WAV", "FLAC", "OGG"])


def speech(seconds: float, *, level: float = 0.2, rate: int = RATE, seed: int = 0) -> np.ndarray:
    """Coloured noise in syllables, four a second, shape (samples,)."""
    count = round(seconds * rate)
    noise = np.random.default_rng(seed).normal(0, level, count)
    noise = np.convolve(noise, np.ones(8) / 3, mode="same")
    return noise * np.sin(np.pi * 4 * np.arange(count) / rate) ** 2


def silence(seconds: float, rate: int = RATE) -> np.ndarray:
    return np.zeros(round(seconds * rate))


def floor(signal: np.ndarray, level: float) -> np.ndarray:
    """The same over a background of noise."""
    return signal + np.random.default_rng(9).normal(0, level, signal.shape)


def heard(signal: np.ndarray, *, format: str = "WAV", rate: int = RATE) -> Sound:
    """What is taken of a file for a clip."""
    data = audio_file(signal, rate, format)
    return decode(data, name=f"a.{format.lower()}", sample_rate=RATE, seconds=SECONDS)


def level(signal: np.ndarray) -> float:
    return float(np.std(signal))


@FORMATS
@pytest.mark.parametrize("other", [-1.0, -0.8])
def test_of_an_out_of_phase_recording_one_channel_is_heard(format, other):
    left = speech(3)
    sound = heard(np.stack([left, other * left], axis=1), format=format)
    assert sound.note == ONE_CHANNEL
    assert level(sound.signal) == pytest.approx(level(left), rel=0.1)


@pytest.mark.parametrize(
    "spoil",
    [
        lambda left, right: (left, np.roll(right, 1)),  # a cable longer by a sample
        lambda left, right: (floor(left, 0.01), right),
        lambda left, right: (left + 0.3, right + 0.3),  # the constant level of a sound card
        lambda left, right: (left + tone(50, RATE, seconds=3) / 50, right),
        # Out of phase for two thirds, and then in phase.
        lambda left, right: (left, np.where(np.arange(len(left)) < 2 * RATE, right, left)),
    ],
    ids=["delayed", "noise", "constant", "hum", "mostly"],
)
def test_what_is_mostly_out_of_phase_counts_as_such(spoil):
    left = speech(3)
    sound = heard(np.stack(spoil(left, -left), axis=1))
    assert sound.note == ONE_CHANNEL
    assert level(sound.signal) == pytest.approx(level(left), rel=0.1)


@pytest.mark.parametrize(
    "channels",
    [
        [speech(3), speech(3)],
        [speech(3), silence(3)],
        [silence(3), speech(3)],
        [speech(3), speech(3, seed=1)],
        [speech(3), np.roll(speech(3), 40)],
        [speech(3), -0.3 * speech(3)],
        [*[silence(3)] * 5, speech(3), silence(3), silence(3)],
    ],
    ids=["equal", "left", "right", "independent", "echo", "fainter", "one of eight"],
)
def test_every_other_recording_is_the_mean_of_its_channels(channels):
    samples = np.stack(channels, axis=1).astype(np.float32)
    data = audio_file(samples, RATE, subtype="FLOAT")
    sound = decode(data, name="a.wav", sample_rate=RATE, seconds=SECONDS)
    assert sound.note == ""
    np.testing.assert_array_equal(sound.signal, samples.mean(axis=1))


def test_of_several_channels_that_cancel_the_loudest_is_heard():
    samples = np.stack([0.5 * speech(3), silence(3), -1.5 * speech(3), speech(3)], axis=1)
    sound = heard(samples)
    assert sound.note == ONE_CHANNEL
    assert level(sound.signal) == pytest.approx(1.5 * level(speech(3)), rel=0.01)


def test_silence_of_several_channels_is_silence():
    with pytest.raises(AudioError, match="silence alone"):
        heard(np.stack([silence(3) + 0.3, silence(3) - 0.3], axis=1))


@FORMATS
@pytest.mark.parametrize("rate", [RATE, 48000])
def test_speech_that_starts_late_is_heard_from_shortly_before(format, rate):
    late = np.concatenate([silence(4, rate), speech(3, rate=rate)])
    sound = heard(late, format=format, rate=rate)
    assert sound.note == CUT_LATER
    assert sound.duration == pytest.approx(7, abs=0.1)
    assert onset(sound) == pytest.approx(0.1, abs=0.06)
    whole = decode(audio_file(late, rate, format), name="a", sample_rate=RATE).signal
    begin = int(3.7 * RATE) + int(np.argmax(correlation(whole[int(3.7 * RATE) :], sound.signal)))
    kept = min(len(sound.signal), len(whole) - begin) - 200  # resampled from another sample on
    np.testing.assert_allclose(
        sound.signal[200:kept], whole[begin + 200 : begin + kept], atol=0.02 * level(speech(3))
    )


def onset(sound: Sound) -> float:
    """Seconds until the signal is loud."""
    return float(np.argmax(np.abs(sound.signal) > np.abs(sound.signal).max() / 10)) / RATE


def correlation(whole: np.ndarray, part: np.ndarray) -> np.ndarray:
    """How alike the part is to what stands in the whole, at every shift of less than half."""
    shifts = np.arange(len(part) // 8)
    return np.array([np.dot(whole[n : n + 8000], part[:8000]) for n in shifts])


CLICK = np.concatenate([silence(0.5), np.random.default_rng(0).normal(0, 0.3, 80), silence(3.5)])
LATE = {
    "a low noise floor": floor(np.concatenate([silence(4), speech(3)]), 0.002),
    "a noise floor 20 dB below": floor(np.concatenate([silence(4), speech(3)]), 0.012),
    "a click": np.concatenate([CLICK, speech(3)]),
    "two clicks": np.concatenate([CLICK[: RATE // 2 + 80], CLICK[6000:], speech(3)]),
    "a click louder than speech": np.concatenate([3 * CLICK, speech(3, level=0.03)]),
    "a constant level": np.concatenate([silence(4), speech(3)]) + 0.25,
    "hum": np.concatenate([silence(4), speech(3)]) + 0.01 * np.sin(np.arange(7 * RATE) / 50),
    "the end of the first part": np.concatenate([silence(3.2), speech(3)]),
    "quiet": np.concatenate([silence(4), speech(3, level=0.0005)]),
    "a last short word": np.concatenate([silence(5), speech(0.25)]),
    "out of phase": np.stack([np.concatenate([silence(4), s * speech(3)]) for s in (1, -1)], 1),
}


@pytest.mark.parametrize("subtype", ["GSM610", "G721_32", "IMA_ADPCM"])
def test_speech_that_starts_late_is_heard_in_files_that_cannot_be_sought_in(subtype):
    file = io.BytesIO()
    late = np.concatenate([silence(6, 8000), speech(3, rate=8000)])
    soundfile.write(file, late, 8000, format="WAV", subtype=subtype)
    sound = decode(file.getvalue(), name="a.wav", sample_rate=RATE, seconds=SECONDS)
    assert sound.note == CUT_LATER
    assert level(sound.signal) > 0.02
    whole = decode(file.getvalue(), name="a.wav", sample_rate=RATE)
    assert len(whole.signal) / RATE == pytest.approx(9, abs=0.1)


def test_a_wav_whose_header_was_never_finished_is_read_to_its_end():
    content = bytearray(audio_file(speech(3, rate=RATE), RATE))
    place = content.index(b"data") + 4
    content[place : place + 4] = bytes(4)  # as a recorder leaves it that was cut off
    sound = decode(bytes(content), name="a.wav", sample_rate=RATE)
    assert len(sound.signal) / RATE == pytest.approx(3, abs=0.01)


@pytest.mark.parametrize("kind", LATE)
def test_what_is_nearly_silence_is_no_beginning(kind):
    sound = heard(LATE[kind])
    assert sound.note.startswith(CUT_LATER)
    assert (ONE_CHANNEL in sound.note) == (kind == "out of phase")
    assert onset(Sound(sound.signal - np.median(sound.signal), 0, "")) < 0.25
    of_speech = 0.0005 if kind == "quiet" else 0.03 if "louder" in kind else 0.2
    assert level(sound.signal) > 0.15 * of_speech


ORDINARY = {
    "a pause first": floor(np.concatenate([silence(0.5), speech(5)]), 0.002),
    "a long pause first": np.concatenate([silence(2.4), speech(5)]),
    "louder later": np.concatenate([speech(3.4, level=0.04), speech(3.4, level=0.4)]),
    "very quiet": speech(7, level=0.0004),
    "very quiet, with a pause": np.concatenate([silence(0.5), speech(7, level=0.0004)]),
    "one tone": 0.1 * np.sin(np.arange(7 * RATE) / 5),
    "noise": floor(silence(7), 0.1),
    "clipped": np.clip(20 * speech(7), -1, 1),
    "silence later": np.concatenate([speech(3), silence(4)]),
    "a word, then nothing": np.concatenate([silence(0.3), speech(0.25), silence(6)]),
    "a word, then a click": np.concatenate([silence(0.3), speech(0.25), silence(3), CLICK]),
}


@pytest.mark.parametrize("kind", ORDINARY)
def test_an_ordinary_recording_is_taken_from_its_start(kind):
    sound = heard(ORDINARY[kind])
    assert sound.note == ""
    start = np.round(ORDINARY[kind][: len(sound.signal)] * 32768) / 32768
    np.testing.assert_allclose(sound.signal, np.clip(start, -1, 1), atol=1e-4)


def test_of_an_ordinary_recording_only_the_start_is_decoded(monkeypatch):
    monkeypatch.setattr("voicetraits.audio.decode.where_sound_begins", None)  # not called
    for kind in ("a pause first", "louder later", "clipped"):
        assert heard(ORDINARY[kind]).note == ""
        assert len(heard(ORDINARY[kind]).signal) == int((SECONDS + 0.1) * RATE)


def test_a_recording_without_any_sound_is_silence_however_long():
    with pytest.raises(AudioError, match="silence alone"):
        heard(silence(60), format="FLAC")
    with pytest.raises(AudioError, match="silence alone"):
        heard(np.concatenate([silence(4), CLICK]))


@pytest.mark.parametrize("samples", [[0.0, 0.1], [0.3, -0.3]])
def test_two_samples_are_a_recording(samples):
    sound = heard(np.array(samples))
    assert (len(sound.signal), sound.note) == (2, "")


def test_what_is_no_number_is_refused_in_what_is_taken_and_passed_over_elsewhere():
    for kind, value in [("late", np.nan), ("late", np.inf), ("ordinary", np.nan)]:
        start = silence(4) if kind == "late" else speech(4)
        signal = np.concatenate([start, speech(6)])
        signal[-100:] = value
        sound = decode(
            audio_file(signal, RATE, subtype="FLOAT"), name="a", sample_rate=RATE, seconds=SECONDS
        )
        assert sound.note == (CUT_LATER if kind == "late" else "")
        signal[5 * RATE if kind == "late" else RATE] = value
        with pytest.raises(AudioError, match="not numbers"):
            decode(
                audio_file(signal, RATE, subtype="FLOAT"),
                name="a",
                sample_rate=RATE,
                seconds=SECONDS,
            )


@pytest.mark.slow
@pytest.mark.parametrize("minutes", [3, 59])
def test_long_silence_first_is_looked_through_in_little_memory(minutes):
    data = audio_file(np.concatenate([silence(60 * minutes, 8000), speech(3)]), 8000, "FLAC")
    tracemalloc.start()
    sound = decode(data, name="a.flac", sample_rate=RATE, seconds=SECONDS)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sound.note == CUT_LATER
    assert onset(sound) == pytest.approx(0.1, abs=0.06)
    assert most < 20e6


def test_what_follows_the_sound_is_not_read():
    read = []

    class Tape:
        """Four seconds of silence, then speech for hours."""

        samplerate = RATE

        def read(self, frames: int, *, dtype: str, always_2d: bool) -> np.ndarray:
            block = speech(frames / RATE).astype(dtype)
            if not read:
                block[: 4 * RATE] = 0
            read.append(frames)
            return block[:, None]

    assert where_sound_begins(Tape(), seconds=SECONDS) == pytest.approx(3.9 * RATE, abs=0.1 * RATE)
    assert len(read) == 1


@pytest.mark.parametrize("channels", [1, 2])
@pytest.mark.parametrize(("format", "codec"), [("ipod", "aac"), ("webm", "libopus")])
def test_what_a_phone_or_a_browser_records_is_heard_as_well(format, codec, channels):
    late = np.concatenate([silence(6, 48000), speech(3, rate=48000)])
    made = recording(np.stack([late, -late][:channels], axis=1), 48000, format, codec)
    sound = decode(made, name="a", sample_rate=RATE, seconds=SECONDS)
    assert sound.note == CUT_LATER + (f", {ONE_CHANNEL}" if channels == 2 else "")
    assert onset(sound) == pytest.approx(0.1, abs=0.06)
    assert sound.duration == pytest.approx(9, abs=0.05)


@pytest.mark.slow
def test_long_silence_first_in_a_recording_takes_little_memory():
    made = recording(
        np.concatenate([silence(600, 8000), speech(3, rate=8000)]), 8000, "ipod", "aac"
    )
    tracemalloc.start()
    sound = decode(made, name="a", sample_rate=RATE, seconds=SECONDS)
    _, most = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert sound.note == CUT_LATER
    assert onset(sound) == pytest.approx(0.1, abs=0.06)
    assert most < 20e6


def both(channels: np.ndarray, rate: int) -> tuple[Sound, Sound]:
    """What the first part is alone, and with what follows it kept."""
    data = audio_file(channels, rate, subtype="FLOAT")
    alone, kept = (
        decode(data, name="a", sample_rate=RATE, seconds=SECONDS, longest=longest)
        for longest in (None, 9)
    )
    return alone, kept


@pytest.mark.parametrize("rate", [RATE, 44100])
@pytest.mark.parametrize(
    ("first", "rest", "note"),
    [
        ([1, -1], [1, 1], ONE_CHANNEL),
        ([1, 1], [1, -1], ""),
        ([1, 0], [1, -1], ""),
        ([1, 1], [0, 0], ""),
        ([1, 1], [50, 50], ""),
        ([1, 1], [np.nan, np.nan], ""),
        ([1, 1], [np.inf, 1], ""),
        ([0, 0], [1, -1], f"{CUT_LATER}, {ONE_CHANNEL}"),
    ],
)
def test_what_is_kept_beyond_the_first_part_decides_nothing_about_it(first, rest, note, rate):
    begin, end = speech(4, rate=rate), speech(8, rate=rate, seed=1)
    with np.errstate(invalid="ignore"):
        channels = np.concatenate([np.outer(begin, first), np.outer(end, rest)])
    alone, kept = both(channels, rate)
    assert alone.note == kept.note == note
    # The resampler looks a little ahead: the last tenth of a second is not compared.
    count = int(SECONDS * RATE)
    np.testing.assert_allclose(kept.signal[:count], alone.signal[:count], atol=1e-6)


@pytest.mark.parametrize("later", [6.0, 8.5])
def test_a_sample_that_is_no_number_ends_the_clip(later):
    signal = speech(12)[:, None]
    signal[int(later * RATE)] = np.nan
    _, kept = both(signal, RATE)
    assert len(kept.signal) == int(later * RATE)
    np.testing.assert_array_equal(kept.signal, signal[: len(kept.signal), 0].astype(np.float32))


def test_silence_followed_by_a_constant_level_is_silence():
    channels = np.concatenate([np.zeros((4 * RATE, 2)), np.full((5 * RATE, 2), 0.2)])
    with pytest.raises(AudioError, match="silence"):
        both(channels, RATE)
