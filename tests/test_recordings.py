"""What phones, browsers and messengers record, of any name, whole or damaged.

FFmpeg has no encoder for HE-AAC, WMA Pro and Speex, and none for wide-band AMR, of which frames
are put together here.
"""

from __future__ import annotations

import io
import os
import subprocess
import sys
import time
from pathlib import Path

import av
import numpy as np
import pytest
from conftest import ROOT, audio_file, recording, tone
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from voicetraits.audio.decode import AudioError, Sound, decode
from voicetraits.audio.ffmpeg import FfmpegError, FfmpegFile
from voicetraits.audio.libsndfile import MisreadError, by_libsndfile

RATE = 16000
PHONES = (
    ("ipod", "aac", 44100),  # .m4a
    ("ipod", "aac", 16000),
    ("ipod", "alac", 44100),
    ("adts", "aac", 44100),  # .aac
    ("mp4", "aac", 48000),
    ("mp4", "libopus", 48000),
    ("mov", "aac", 44100),
    ("mov", "pcm_u8", 22050),
    ("mov", "pcm_s16le", 44100),
    ("mov", "pcm_s24be", 48000),
    ("mov", "pcm_s32le", 48000),
    ("mov", "pcm_f32be", 48000),
    ("mov", "pcm_f64le", 48000),
    ("webm", "libopus", 48000),
    ("matroska", "aac", 44100),  # .mka
    ("matroska", "libopus", 48000),
    ("matroska", "flac", 48000),
    ("ogg", "libopus", 48000),  # .oga, .opus
    ("ogg", "flac", 44100),
    ("caf", "alac", 44100),
    ("caf", "pcm_s16be", 44100),
    ("aiff", "pcm_s16be", 44100),
    ("asf", "wmav1", 44100),  # .wma
    ("asf", "wmav2", 44100),
    ("ac3", "ac3", 48000),
    ("eac3", "eac3", 48000),
    ("tta", "tta", 44100),
    ("wv", "wavpack", 44100),
    ("flv", "aac", 44100),
    ("avi", "mp3", 44100),
    ("mpegts", "aac", 44100),
)
STEREO = [(*phone, channels) for phone in PHONES for channels in (1, 2)]
# The formats in which a telephone call is kept have one channel.
AMR = "libopencore_amrnb"
ALL = [*STEREO, ("3gp", AMR, 8000, 1), ("amr", AMR, 8000, 1)]
# From 19 on, PyAV decodes AMR and does not encode it: these are what `recording` made with 18.
CHIRPS = Path(__file__).parent / "chirps"
# Samples by which the sound is late in formats that do not say what the encoder has put before it,
# and early where FFmpeg's decoder leaves out its first frame.
DELAYS = {
    "adts": 1024,
    "flv": 1024,
    "mpegts": 1024,
    "ac3": 256,
    "eac3": 256,
    "avi": 1105,
    "asf": -2048,
    "amr": 40,
    "3gp": -10,
}
LARGE = [(*phone, channels) for phone in (PHONES[0], PHONES[8], PHONES[27]) for channels in (6, 8)]


def chirp(rate: int, *, seconds: float = 2.0) -> np.ndarray:
    """A tone that rises from 300 to 1,500 Hz, shape (samples,): no shift of it looks like it."""
    t = np.arange(round(seconds * rate)) / rate
    phase = 2 * np.pi * (300 * t + 600 / seconds * t**2)
    return 0.5 * np.sin(phase) * np.hanning(len(t))


def alike(data: bytes, rate: int, format: str) -> float:
    """Correlation of a recording of the chirp with it, after the delay of the format."""
    signal = decode(data, name="clip", sample_rate=rate).signal
    expected, delay = chirp(rate), DELAYS.get(format, 0)
    signal, expected = signal[max(delay, 0) :], expected[max(-delay, 0) :]
    count = min(len(signal), len(expected))
    assert count > 1.9 * rate
    return float(np.corrcoef(signal[:count], expected[:count])[0, 1])


def heard(data: bytes, **options: float) -> Sound:
    return decode(data, name="clip", sample_rate=RATE, **options)


def made(format: str, codec: str, rate: int, channels: int, **options: object) -> bytes:
    if codec == AMR:
        return (
            CHIRPS / f"{'in_parts' if options.get('options') else 'whole'}.{format}"
        ).read_bytes()
    signal = np.tile(chirp(rate)[:, None], (1, channels))
    return recording(signal, rate, format, codec, **options)


@pytest.mark.parametrize(("format", "codec", "rate", "channels"), [*ALL, *LARGE])
def test_every_format_of_a_recorder_gives_the_same_mono_signal(format, codec, rate, channels):
    data = made(format, codec, rate, channels)
    sound = heard(data)
    assert sound.signal.dtype == np.float32
    assert np.isfinite(sound.signal).all()
    assert sound.duration == pytest.approx(2, abs=0.05)
    assert len(sound.signal) == pytest.approx(2 * RATE, abs=0.05 * RATE)
    # AMR keeps no waveform, and AAC only the lowest tones of the channel of 5.1 that is for them.
    coarse = "amr" in codec or (codec == "aac" and channels > 2)
    assert alike(data, rate, format) > (0.9 if coarse else 0.999)
    apart = 0.25 if coarse else 0.07
    assert np.std(sound.signal) == pytest.approx(np.std(chirp(RATE)), rel=apart)


@pytest.mark.parametrize(("format", "codec", "rate", "channels"), ALL)
def test_the_start_alone_is_the_same_and_the_duration_is_that_of_the_whole(
    format, codec, rate, channels
):
    data = made(format, codec, rate, channels)
    whole, start = heard(data), heard(data, seconds=0.5)
    assert len(start.signal) == pytest.approx(0.6 * RATE, abs=2)
    np.testing.assert_allclose(start.signal[:8000], whole.signal[:8000], atol=1e-4)
    assert start.duration == pytest.approx(whole.duration, abs=0.1)


@pytest.mark.parametrize("name", ["a.mp3", "a.wav", "A.M4A", "a.amr", "a.txt", "a", ""])
@pytest.mark.parametrize("phone", [("ipod", "aac", 44100, 1), ("webm", "libopus", 48000, 1)])
def test_a_wrong_ending_does_not_matter(phone, name):
    data = made(*phone)
    sound = decode(data, name=name, sample_rate=RATE)
    np.testing.assert_array_equal(sound.signal, heard(data).signal)


def amr_wb(*, seconds: float) -> bytes:
    """Wide-band AMR of 23.85 kbit/s, as it is stored: noise, as FFmpeg has no encoder for it."""
    rng = np.random.default_rng(0)
    frames = (bytes([0x44]) + rng.bytes(60) for _ in range(round(50 * seconds)))
    return b"#!AMR-WB\n" + b"".join(frames)


def in_container(data: bytes, format: str) -> bytes:
    """The same packets in another container."""
    file = io.BytesIO()
    with av.open(io.BytesIO(data)) as source, av.open(file, "w", format=format) as target:
        stream = target.add_stream_from_template(source.streams.audio[0])
        for packet in source.demux(audio=0):
            if packet.dts is not None:
                packet.stream = stream
                target.mux(packet)
    return file.getvalue()


def test_wide_band_amr_is_read_alone_and_in_3gp():
    alone = heard(amr_wb(seconds=2))
    inside = heard(in_container(amr_wb(seconds=2), "3gp"))
    assert alone.duration == inside.duration == pytest.approx(2, abs=0.01)
    assert np.std(alone.signal) > 0.01
    np.testing.assert_array_equal(alone.signal, inside.signal)


@pytest.mark.parametrize("format", ["mp4", "mov", "matroska", "avi", "mpegts"])
def test_the_sound_of_a_video_is_read(format):
    codec = "mp3" if format == "avi" else "aac"
    assert alike(made(format, codec, 44100, 1, pictures=50), 44100, format) > 0.999


@pytest.mark.parametrize("format", ["mp4", "mov", "matroska", "webm", "mpegts"])
def test_a_video_without_sound_has_no_audio_stream(format):
    muxer = "matroska" if format == "webm" else format
    with pytest.raises(AudioError, match=r"^no audio stream$"):
        heard(recording(np.zeros(0), 48000, muxer, "aac", pictures=25))


@pytest.mark.parametrize("format", ["mp4", "matroska"])
def test_the_first_of_several_equal_audio_streams_is_read(format):
    other = tone(2000, 48000, seconds=2.0)
    data = recording(chirp(48000), 48000, format, "aac", others=(other,))
    assert alike(data, 48000, format) > 0.99


@pytest.mark.parametrize("format", ["mp4", "matroska"])
def test_a_silent_audio_stream_does_not_hide_another(format):
    """A recorder of the screen keeps the sounds of the machine, of which there are none, apart."""
    silent = np.zeros(2 * 48000, np.float32)
    data = recording(silent, 48000, format, "aac", others=(silent, chirp(48000)))
    assert alike(data, 48000, format) > 0.99
    later = decode(data, name="x", sample_rate=RATE, seconds=0.5, longest=1)
    np.testing.assert_allclose(later.signal, heard(data).signal[: len(later.signal)], atol=0.02)
    with pytest.raises(AudioError, match=r"^silence alone$"):
        heard(recording(silent, 48000, format, "aac", others=(silent,)))


@pytest.mark.parametrize(("format", "codec"), [("ogg", "libopus"), ("ogg", "flac")])
def test_one_ogg_after_another_is_read_as_well(format, codec):
    data = made(format, codec, 48000, 1)
    once, twice = (heard(each).duration for each in (data, data + data))
    assert twice == pytest.approx(2 * once, abs=0.1)


def test_what_only_looks_like_mpeg_layer_1_is_left_to_ffmpeg():
    frame = bytes([0xFF, 0xFF, 0x10, 0xC0]) + bytes(28)  # 32 kbit/s at 44.1 kHz, mono
    with pytest.raises(MisreadError):
        by_libsndfile(200 * frame)
    with by_libsndfile(audio_file(chirp(RATE), RATE, "MP3")) as file:
        assert file.samplerate == RATE


@pytest.mark.parametrize("format", ["ipod", "matroska", "asf"])
def test_a_tag_that_is_no_text_does_not_matter(format):
    codec = "wmav2" if format == "asf" else "aac"
    data = recording(chirp(44100), 44100, format, codec, title="REPLACED")
    encoding = "utf-16le" if format == "asf" else "ascii"
    tag = "REPLACED".encode(encoding)
    assert tag in data
    spoiled = data.replace(tag, b"\xff\xd8" * (len(tag) // 2))
    np.testing.assert_array_equal(heard(spoiled).signal, heard(data).signal)


@pytest.mark.parametrize("options", [{"movflags": "frag_keyframe+empty_moov+default_base_moof"}])
def test_a_recording_in_fragments_is_read_to_its_end(options):
    data = made("mp4", "aac", 48000, 1, options=options | {"frag_duration": "300000"})
    assert heard(data).duration == pytest.approx(2, abs=0.05)
    assert heard(data, seconds=0.3).duration == pytest.approx(2, abs=0.1)


def test_what_a_browser_streams_has_no_duration_in_its_header_and_yet_one():
    data = made("webm", "libopus", 48000, 1, options={"live": "1"})
    with av.open(io.BytesIO(data)) as container:
        assert container.duration is None
    assert heard(data, seconds=0.5).duration == pytest.approx(2, abs=0.05)


@pytest.mark.parametrize(
    "text",
    [
        "#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\n{}\n#EXT-X-ENDLIST\n",
        "ffconcat version 1.0\nfile '{}'\n",
    ],
    ids=["playlist", "script"],
)
def test_a_file_that_names_another_does_not_open_it(tmp_path, text):
    (tmp_path / "a.wav").write_bytes(audio_file(chirp(RATE), RATE))
    with pytest.raises(AudioError, match="not readable as audio"):
        heard(text.format(tmp_path / "a.wav").encode())


@pytest.mark.parametrize(("format", "codec", "rate", "channels"), ALL)
def test_a_recording_cut_short_gives_its_start_or_a_reason(format, codec, rate, channels):
    data = made(format, codec, rate, channels)
    for share in (0.02, 0.3, 0.6, 0.98):
        try:
            sound = heard(data[: int(share * len(data))])
        except AudioError as error:
            assert str(error)
        else:
            assert np.isfinite(sound.signal).all()
            assert sound.duration < 2.2


@pytest.mark.parametrize("format", ["adts", "webm", "matroska", "amr", "3gp"])
def test_the_part_that_is_there_of_a_recording_cut_short_is_read(format):
    codec = {"webm": "libopus", "adts": "aac", "matroska": "aac"}.get(format, AMR)
    rate = 8000 if "amr" in codec else 48000
    # As telephones and browsers write them: with a table before each part, and not at the end.
    options = {"movflags": "frag_keyframe+empty_moov", "frag_duration": "200000"}
    options = options if format == "3gp" else {}
    data = made(format, codec, rate, 1, options=options)
    sound, whole = heard(data[: len(data) * 6 // 10]), heard(data)
    assert 0.8 < sound.duration < 1.4
    np.testing.assert_allclose(sound.signal[:10000], whole.signal[:10000], atol=1e-4)


def test_an_mp4_file_without_its_end_is_said_to_be_cut_off():
    data = made("ipod", "aac", 44100, 1)
    with pytest.raises(AudioError, match=r"^not readable as audio: cut off"):
        heard(data[: len(data) // 2])


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize(("format", "codec", "rate", "channels"), ALL)
def test_a_damaged_recording_gives_numbers_or_a_reason_and_nothing_else(
    format, codec, rate, channels
):
    whole = made(format, codec, rate, channels)
    rng = np.random.default_rng(5)
    for _ in range(25):
        damaged = bytearray(whole)
        for place in rng.integers(0, rng.choice([100, len(whole)]), size=rng.integers(1, 30)):
            damaged[place % len(whole)] = rng.integers(256)
        begin = time.perf_counter()
        try:
            signal = heard(bytes(damaged), seconds=0.5).signal
        except AudioError as error:
            assert str(error)
            assert "not decodable" not in str(error)
        else:
            assert len(signal) and np.isfinite(signal).all()
        assert time.perf_counter() - begin < 5


@pytest.mark.parametrize(("format", "codec", "rate", "channels"), ALL)
def test_ffmpeg_says_nothing_of_what_is_damaged(capfd, format, codec, rate, channels):
    damaged = bytearray(made(format, codec, rate, channels))
    places = np.random.default_rng(3).integers(200, len(damaged), size=40)
    for place in places:
        damaged[place] ^= 0x55
    try:
        with FfmpegFile(bytes(damaged)) as file:
            file.read(-1)
    except FfmpegError:
        pass
    assert capfd.readouterr().err == ""


def test_a_damaged_frame_of_many_channels_does_no_harm():
    # One header of ADTS that says 7.1 (configuration 7) amid mono: PyAV's own conversion crashes.
    frames = bytearray(made("adts", "aac", 44100, 1))
    signal = heard(bytes(frames)).signal
    place = frames.find(frames[:4], len(frames) // 2)
    frames[place + 2] |= 0x01
    frames[place + 3] |= 0xC0
    np.testing.assert_allclose(heard(bytes(frames)).signal[:8000], signal[:8000], atol=1e-4)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(data=st.binary(max_size=3000), head=st.sampled_from(["", "ipod", "webm", "adts", "asf"]))
def test_any_bytes_after_any_header_give_numbers_or_a_reason(data, head):
    codec = {"webm": "libopus", "asf": "wmav2"}.get(head, "aac")
    start = made(head, codec, 48000, 1)[:700] if head else b""
    try:
        signal = heard(start + data, seconds=1).signal
    except AudioError as error:
        assert str(error)
    else:
        assert len(signal) and np.isfinite(signal).all()


@pytest.mark.slow
def test_decoding_and_wav_need_no_program_and_say_nothing(tmp_path):
    clip = tmp_path / "a.m4a"
    clip.write_bytes(made("ipod", "aac", 44100, 1))
    code = f"""
import sys
from pathlib import Path
from voicetraits.audio.decode import decode
slow = ("av", "keras", "matplotlib", "pandas", "pydantic", "pydub", "scipy")
print([name for name in slow if name in sys.modules])
from voicetraits.audio.wav import segment_of, wav_bytes
signal = decode(Path({str(clip)!r}).read_bytes(), name="", sample_rate=16000).signal
print(len(wav_bytes(segment_of(signal, 16000))) > 60000)
"""
    environment = {**os.environ, "PATH": "", "PYTHONPATH": str(ROOT / "src")}
    done = subprocess.run(
        [sys.executable, "-W", "always::RuntimeWarning", "-c", code],
        env=environment,
        capture_output=True,
        text=True,
    )
    assert (done.stdout.split("\n")[:2], done.stderr) == (["[]", "True"], "")
