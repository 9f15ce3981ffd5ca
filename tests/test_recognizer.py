"""Recordings are recognised by their speech alone, and what is none is not."""

from __future__ import annotations

import ast
import copy
import dataclasses
import math
import pickle
import subprocess
import sys
from importlib.metadata import PackageNotFoundError
from pathlib import Path

import numpy as np
import onnx
import pytest
from conftest import ROOT, audio_file, recording
from exported import CHANCES, LOCALES, LOUDNESS, description, speech, write_model

import voicetraits
from voicetraits.errors import InputError
from voicetraits.recognizer import speech as speech_module
from voicetraits.recognizer.decision import decide, renormalised, restricted
from voicetraits.recognizer.model import RELEASED, ExportedModel, Head
from voicetraits.recognizer.recognizer import Recognizer
from voicetraits.recognizer.speech import Part, Speech, find_speech
from voicetraits.recognizer.timbre import changes
from voicetraits.recognizer.windows import stretches, windows

RATE = 16000
RNG = np.random.default_rng(0)
TIME = np.arange(3 * RATE) / RATE


def coloured(exponent: float) -> np.ndarray:
    """Three seconds of noise whose power falls with the frequency to this exponent."""
    spectrum = np.fft.rfft(RNG.normal(size=len(TIME)))
    return np.fft.irfft(spectrum[1:] / np.arange(1, len(spectrum)) ** (exponent / 2), len(TIME))


def notes(*frequencies: float, partials: int = 1) -> np.ndarray:
    return np.sum(
        [np.sin(2 * np.pi * f * n * TIME) / n for f in frequencies for n in range(1, partials + 1)],
        axis=0,
    )


def clicks(seconds: float) -> np.ndarray:
    signal = np.zeros(len(TIME))
    signal[:: round(seconds * RATE)] = 1
    return signal


PULSE = 1 + np.sin(2 * np.pi * 4 * TIME)
BURSTS = np.convolve(np.sin(2 * np.pi * 5 * TIME) > 0, np.ones(300) / 300, mode="same")
NO_SPEECH = {
    "white noise": coloured(0),
    "pink noise": coloured(1),
    "brown noise": coloured(2),
    "pulsing noise": coloured(1) * PULSE,
    "tone": notes(440),
    "low tone": notes(120),
    "chord": notes(262, 330, 392, partials=7),
    # The network alone takes these for speech, at full level or at low ones.
    "pulsing note": notes(110, partials=7) * PULSE,
    "higher pulsing note": notes(165, partials=7) * PULSE,
    # It takes these for syllables at any level.
    "note in bursts": notes(200) * BURSTS,
    "harsh note in bursts": notes(175, partials=20) * BURSTS,
    "note in bursts and noise": notes(150) * BURSTS + 0.1 * coloured(0) / coloured(0).std(),
    "hum": notes(50, partials=19),
    "clicks": clicks(0.25),
    "sweep": np.sin(2 * np.pi * (50 * TIME + 1200 * TIME**2)),
}


@pytest.fixture(scope="module")
def recognizer(tmp_path_factory):
    return Recognizer.load(write_model(tmp_path_factory.mktemp("model") / "voice.onnx"))


@pytest.mark.parametrize("level", [1.0, 0.03, 0.001])
@pytest.mark.parametrize("name", NO_SPEECH)
def test_what_is_no_speech_is_unknown(recognizer, name, level):
    signal = NO_SPEECH[name] / np.abs(NO_SPEECH[name]).max() * level
    found = recognizer.predict(audio_file(signal, RATE))
    assert (found.language, found.gender, found.reason) == ("unknown", "unknown", "no speech")
    assert found.language_probability is found.female_probability is None
    assert found.language_probabilities == {}
    assert found.seconds == pytest.approx(3)


def test_silence_is_no_speech_and_no_error(recognizer):
    for silent in (np.zeros(RATE), audio_file(np.zeros(RATE), RATE)):
        found = recognizer.predict(silent, sample_rate=RATE)
        assert (found.reason, found.seconds, found.speech) == ("no speech", 1.0, ())


@pytest.mark.parametrize("level", [1.0, 0.01, 0.0005])
def test_speech_is_found_at_any_level_and_its_pauses_are_not(level):
    silence = np.zeros(4 * RATE, np.float32)
    hiss = RNG.normal(size=2 * len(silence) + len(speech())).astype(np.float32)
    signal = np.concatenate([silence, speech(), silence]) + 0.0003 * hiss
    parts = find_speech(signal * np.float32(level)).parts
    first, last = parts[0], parts[-1]
    assert abs(first.start / RATE - 4) < 0.4
    assert abs(last.end - len(silence) - len(speech())) / RATE < 0.6


@pytest.mark.parametrize("level", [1.0, 0.01])
def test_a_constant_beside_the_speech_does_not_matter(level):
    plain = find_speech(speech() * np.float32(level))
    raised = find_speech(speech() * np.float32(level) + np.float32(0.3))
    assert raised.enough
    assert np.mean(plain.spoken == raised.spoken) > 0.95


def test_one_voice_changes_its_timbre_and_one_note_does_not():
    moments = np.arange(RATE // 4, 11 * RATE // 4, 512)
    assert changes(speech(), moments[moments < len(speech()) - 512])
    assert not changes(NO_SPEECH["harsh note in bursts"], moments)
    # Nothing can be told of a moment.
    assert changes(NO_SPEECH["harsh note in bursts"], moments[:4])


def test_speech_far_into_a_long_silence_is_found():
    signal = np.concatenate([np.zeros(100 * RATE, np.float32), speech()])
    found = find_speech(signal)
    assert found.enough
    assert found.parts[0].start > 99 * RATE


@pytest.mark.parametrize(
    ("spoken", "length", "enough"),
    [
        ([(10, 12)], 20, False),  # 0.06 s of a word
        ([(10, 20)], 20, True),
        ([(n, n + 5) for n in range(0, 600, 100)], 600, False),  # notes, 5 % of the recording
        ([(n, n + 5) for n in range(0, 600, 40)], 600, True),
        ([(100, 116)], 6000, True),  # a word in a long silence
        ([], 0, False),
    ],
)
def test_scattered_moments_of_a_long_recording_are_no_speech(spoken, length, enough):
    frames = np.zeros(length, bool)
    for start, end in spoken:
        frames[start:end] = True
    assert Speech((), frames).enough == enough


def test_a_recognition_can_be_copied_and_sent_to_another_process(recognizer):
    found = recognizer.predict(speech(), sample_rate=RATE)
    assert pickle.loads(pickle.dumps(found)) == copy.deepcopy(found) == found
    assert dataclasses.asdict(found)["language_probabilities"] == found.language_probabilities


def test_a_long_recording_is_heard_like_a_short_one_across_its_blocks():
    # The network hears half a minute at a time; a voice that goes on over the seam is one.
    signal = np.tile(speech(), 30)
    found = find_speech(signal)
    alone = find_speech(speech()).seconds
    assert found.seconds == pytest.approx(30 * alone, rel=0.15)


def test_a_part_of_the_speech_holds_what_lies_in_it():
    found = find_speech(np.tile(speech(), 3))
    middle = len(speech())
    left, right = found.between(0, middle), found.between(middle, 3 * middle)
    assert left.seconds + right.seconds == pytest.approx(found.seconds)
    assert all(part.end <= middle for part in left.parts)
    assert all(part.start >= middle for part in right.parts)


def test_windows_are_equal_leave_out_pauses_and_lose_nothing():
    samples = np.arange(60 * RATE, dtype=np.float32)
    parts = [Part(0, 20 * RATE), Part(30 * RATE, 37 * RATE)]
    found = list(windows(samples, parts))
    assert [len(window.samples) for window in found] == [9 * RATE] * 3
    spoken = np.concatenate([samples[: 20 * RATE], samples[30 * RATE : 37 * RATE]])
    np.testing.assert_array_equal(np.concatenate([w.samples for w in found]), spoken)
    assert [(w.start // RATE, w.end // RATE) for w in found] == [(0, 9), (9, 18), (18, 37)]


@pytest.mark.parametrize("length", [1, 4801, 12 * RATE, 12 * RATE + 1, 500_001])
def test_no_window_is_longer_than_twelve_seconds(length):
    found = [len(w.samples) for w in windows(np.zeros(length, np.float32), [Part(0, length)])]
    assert sum(found) == length
    assert max(found) <= 12 * RATE
    assert max(found) - min(found) <= len(found)


def test_a_stretch_ends_where_nobody_speaks_for_a_second():
    one, two, three = Part(0, 100), Part(100 + RATE - 1, 40_000), Part(40_000 + RATE, 80_000)
    assert stretches([one, two, three]) == [[one, two], [three]]


def test_a_recognition_tells_what_the_model_says(recognizer):
    found = recognizer.predict(speech(), sample_rate=RATE)
    assert found.language == "es"
    assert list(found.language_probabilities) == LOCALES
    assert list(found.language_probabilities.values()) == pytest.approx(CHANCES)
    assert found.language_probability == pytest.approx(0.6)
    spoken = np.concatenate(
        [speech()[round(start * RATE) : round(end * RATE)] for start, end in found.speech]
    )
    assert found.female_probability == pytest.approx(LOUDNESS * np.abs(spoken).mean(), rel=1e-4)
    assert found.gender == ("female" if found.female_probability >= 0.5 else "male")
    assert found.reason is None
    assert 0.3 < found.speech_seconds < found.seconds
    with pytest.raises(dataclasses.FrozenInstanceError):
        found.language = "en"


def test_long_pauses_do_not_dilute(recognizer):
    pause = np.zeros(20 * RATE, np.float32)
    short = recognizer.predict(speech(), sample_rate=RATE)
    long = recognizer.predict(np.concatenate([pause, speech(), pause]), sample_rate=RATE)
    assert long.seconds == pytest.approx(short.seconds + 40)
    assert long.female_probability == pytest.approx(short.female_probability, rel=0.2)


def test_windows_count_by_their_length(recognizer, monkeypatch):
    said = iter([0.2, 0.8])
    lengths = []

    def probabilities(samples):
        lengths.append(len(samples))
        chance = next(said)
        return {"gender": np.array([chance, 1 - chance]), "language": np.array(CHANCES)}

    monkeypatch.setattr(recognizer.model, "probabilities", probabilities)
    signal = np.tile(speech(), 1 + 12 * RATE // len(speech()))
    found = recognizer.predict(signal, sample_rate=RATE)
    one, two = lengths
    assert found.female_probability == pytest.approx((0.2 * one + 0.8 * two) / (one + two))


def test_samples_of_any_kind_give_the_same_as_the_file(recognizer):
    stereo = np.stack([speech(), speech()], axis=1)
    whole = np.round(speech() * 32767).astype(np.int16)
    expected = recognizer.predict(audio_file(speech(), RATE)).female_probability
    for samples in (speech(), stereo, whole, whole.astype(">i2"), speech().astype(np.float64)):
        found = recognizer.predict(samples, sample_rate=RATE)
        assert found.female_probability == pytest.approx(expected, rel=0.01)
    twice = np.repeat(speech(), 2)
    found = recognizer.predict(twice, sample_rate=2 * RATE)
    assert found.female_probability == pytest.approx(expected, rel=0.05)


@pytest.mark.parametrize(
    ("samples", "rate", "why"),
    [
        (np.zeros(9), None, "give sample_rate in Hz"),
        (np.zeros(9), 0, "sample_rate 0: give 1,000 to 400,000 Hz"),
        (np.ones(9), math.nan, "sample_rate nan: give"),
        (np.ones(9), math.inf, "sample_rate inf: give"),
        (np.ones(9), 1e-3, "sample_rate 0.001: give"),
        (np.ones(9, np.int64), 16000, "type int64; give floats, or uint8, int16, int32"),
        (np.ones(9, np.uint16), 16000, "type uint16; give floats, or uint8, int16, int32"),
        (np.zeros(0), RATE, r"shape \(0,\)"),
        (np.zeros((2, 2, 2)), RATE, r"shape \(2, 2, 2\)"),
        (np.array([0.0, math.nan]), RATE, r"no numbers below 1e\+15"),
        (np.array([0.0, 1e30]), RATE, r"no numbers below 1e\+15"),
        (np.array(["a"]), RATE, "type <U1; give floats, or uint8, int16, int32"),
    ],
)
def test_samples_that_are_none_are_refused(recognizer, samples, rate, why):
    with pytest.raises(InputError, match=why):
        recognizer.predict(samples, sample_rate=rate)


def test_a_device_is_not_read_and_a_name_that_cannot_be_is_refused(recognizer):
    with pytest.raises(InputError, match="/dev/zero: a device and no recording"):
        recognizer.predict("/dev/zero")
    with pytest.raises(InputError, match="null byte"):
        recognizer.predict("a\0b.wav")


def test_silence_has_its_length_where_ffmpeg_alone_knows_it(recognizer):
    found = recognizer.predict(recording(np.zeros(2 * RATE, np.float32), RATE, "ipod", "aac"))
    assert found.reason == "no speech"
    assert found.seconds == pytest.approx(2, abs=0.2)


def test_a_file_that_is_not_there_is_named(recognizer, tmp_path):
    with pytest.raises(InputError, match=r"none\.wav: No such file"):
        recognizer.predict(tmp_path / "none.wav")


def test_a_timeline_has_a_line_for_each_stretch(recognizer):
    pause = np.zeros(3 * RATE, np.float32)
    signal = np.concatenate([speech(), pause, speech(), pause, 0.1 * speech()])
    found = recognizer.segments(signal, sample_rate=RATE)
    period = (len(speech()) + len(pause)) / RATE
    assert [round(line.start / period, 1) for line in found] == [0.0, 1.0, 2.0]
    assert [line.language for line in found] == ["es"] * 3
    assert found[2].female_probability < found[1].female_probability / 5
    whole = recognizer.predict(signal, sample_rate=RATE)
    assert sum(line.speech_seconds for line in found) == pytest.approx(whole.speech_seconds)


def test_no_product_of_matrices_starts_the_threads_of_blas():
    for path in (ROOT / "src/voicetraits/recognizer").glob("*.py"):
        operators = map(type, ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
        assert ast.MatMult not in operators, path


def test_the_timeline_of_no_speech_is_one_line(recognizer):
    (line,) = recognizer.segments(NO_SPEECH["hum"], sample_rate=RATE)
    assert (line.start, line.end, line.reason) == (0, 3, "no speech")


def test_an_answer_below_its_threshold_is_unknown():
    head = Head(("es", "fr"), 0.7)
    found = decide("language", head, np.array([0.65, 0.35]))
    assert (found.value, found.reason) == ("unknown", "language: es at 0.65, below 0.7")
    assert found.probabilities == {"es": 0.65, "fr": 0.35}
    assert decide("language", head._replace(threshold=0.65), np.array([0.65, 0.35])).value == "es"
    nearly = decide("language", head, np.array([0.6996, 0.3004]))
    assert nearly.reason == "language: es at 0.699, below 0.7"


def test_another_language_is_unknown():
    found = decide("language", Head(("es", "other"), 0.5), np.array([0.1, 0.9]))
    assert (found.value, found.reason) == ("unknown", "language: none of those known")


def test_thresholds_are_those_of_the_file_unless_given(tmp_path):
    heads = description()["heads"]
    heads[1]["threshold"] = 0.7
    path = write_model(tmp_path / "model.onnx", heads=heads)
    signal = {"recording": speech(), "sample_rate": RATE}
    assert Recognizer.load(path).predict(**signal).language == "unknown"
    assert Recognizer.load(path, language_threshold=0.5).predict(**signal).language == "es"
    found = Recognizer.load(path, gender_threshold=1).predict(**signal)
    assert found.gender == "unknown"
    assert found.reason.startswith("language: es at 0.60, below 0.7; gender: ")
    with pytest.raises(InputError, match=r"gender threshold 1\.5: give a number from 0 to 1"):
        Recognizer.load(path, gender_threshold=1.5)


def test_locales_restrict_and_renormalise(tmp_path):
    path = write_model(tmp_path / "model.onnx")
    found = Recognizer.load(path, locales=["en", "de"]).predict(speech(), sample_rate=RATE)
    assert found.language == "en"
    assert found.language_probabilities == pytest.approx({"de": 1 / 3, "en": 2 / 3})
    one = Recognizer.load(path, locales="en").predict(speech(), sample_rate=RATE)
    assert one.language_probabilities == {"en": 1}
    with pytest.raises(InputError, match="locale '': not in the model"):
        Recognizer.load(path, locales=[""])
    with pytest.raises(InputError, match="locale xx: not in the model, which knows de, en, es, fr"):
        Recognizer.load(path, locales=["es", "xx"])


def test_of_impossible_classes_each_is_as_likely():
    head = Head(("a", "b", "c"), 0.5)
    kept = restricted(head, ["c", "a"])
    assert kept.classes == ("a", "c")
    np.testing.assert_array_equal(renormalised(np.array([0, 1, 0]), of=head, to=kept), [0.5, 0.5])


def test_a_model_with_one_head_leaves_the_other_unknown(tmp_path):
    path = write_model(tmp_path / "model.onnx", heads=description()["heads"][:1])
    found = Recognizer.load(path).predict(speech(), sample_rate=RATE)
    assert (found.language, found.reason) == ("unknown", "language: not told by this model")
    assert found.gender in ("female", "male")
    with pytest.raises(InputError, match="tells no languages apart"):
        Recognizer.load(path, locales=["es"])


@pytest.mark.parametrize(
    ("said", "why"),
    [
        (None, "not one that voicetraits has exported"),
        ("{", "does not fit"),
        ("[]", "does not fit"),
        (description(version=2), "another version of voicetraits"),
        (description(sample_rate=8000), "does not fit"),
        (description(heads=[]), "does not fit"),
        (description(heads=[{"task": "age", "classes": ["a"], "threshold": 0.5}]), "does not fit"),
        (
            description(heads=[{"task": "gender", "classes": ["a"] * 3, "threshold": 0.5}]),
            "does not fit",
        ),
        (description(heads=[{"task": "gender", "classes": ["a", "b"]}]), "does not fit"),
        ({"version": 1}, "does not fit"),
    ],
)
def test_a_file_that_is_not_ours_is_refused(tmp_path, said, why):
    path = write_model(tmp_path / "model.onnx", description=said)
    with pytest.raises(InputError, match=rf"model\.onnx: .*{why}"):
        ExportedModel(path)


@pytest.mark.parametrize("content", [b"", b"not a network", b"\x08\x09" * 99])
def test_what_is_no_onnx_is_refused(tmp_path, content, capfd):
    (tmp_path / "model.onnx").write_bytes(content)
    with pytest.raises(InputError, match=r"model\.onnx: not a model that onnxruntime can run"):
        ExportedModel(tmp_path / "model.onnx")
    assert capfd.readouterr() == ("", "")


def test_a_network_of_others_is_refused(tmp_path):
    model = onnx.load(str(write_model(tmp_path / "model.onnx")))
    model.graph.input[0].name = "x"
    for node in model.graph.node:
        node.input[:] = ["x" if name == "samples" else name for name in node.input]
    onnx.save(model, str(tmp_path / "model.onnx"))
    with pytest.raises(InputError, match="does not fit"):
        ExportedModel(tmp_path / "model.onnx")


def test_a_model_that_is_not_there_is_named(tmp_path, monkeypatch):
    folder = tmp_path / "models" / "mine"
    folder.mkdir(parents=True)
    missing = r"models/mine: nothing has been exported from this folder to .*/mine\.onnx; name"
    with pytest.raises(InputError, match=missing):
        ExportedModel(folder)
    with pytest.raises(InputError, match=r"^/: nothing has been exported"):
        ExportedModel(Path("/"))
    (tmp_path / "data" / "exported").mkdir(parents=True)
    write_model(tmp_path / "data" / "exported" / "mine.onnx")
    assert ExportedModel(folder).name == "tiny"
    monkeypatch.setattr("voicetraits.recognizer.model.RELEASED", tmp_path / RELEASED.name)
    with pytest.raises(InputError, match=r"voice\.onnx: there is no released model here.*--model"):
        ExportedModel()
    write_model(tmp_path / RELEASED.name)
    assert ExportedModel().name == "tiny"


def test_without_silero_vad_the_remedy_is_named(monkeypatch):
    def missing(name):
        raise PackageNotFoundError(name)

    monkeypatch.setattr(speech_module, "distribution", missing)
    with pytest.raises(InputError, match="silero-vad, which finds speech, is not installed"):
        speech_module._network_file()


def test_the_package_gives_the_recognizer():
    assert voicetraits.Recognizer is Recognizer
    with pytest.raises(AttributeError, match="no attribute 'Recogniser'"):
        _ = voicetraits.Recogniser


def test_onnxruntime_reports_to_nobody(tmp_path):
    # Where it does, it keeps its session in the folder for temporary files.
    code = "import voicetraits.recognizer.runtime"
    environment = {"PYTHONPATH": str(ROOT / "src"), "TMPDIR": str(tmp_path)}
    subprocess.run([sys.executable, "-c", code], env=environment, cwd=tmp_path, check=True)
    assert not list(tmp_path.iterdir())


def test_samples_with_the_channels_first_are_refused(tmp_path):
    path = write_model(tmp_path / "model.onnx")
    with pytest.raises(InputError, match=r"shape \(2, 32000\); give \(n,\) or \(n, channels\)"):
        Recognizer.load(path).predict(np.zeros((2, 32000), np.float32), sample_rate=RATE)
