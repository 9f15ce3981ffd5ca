"""Recordings made worse: what a phone, a line, a room or noise does to a clip.

Every condition takes a clip, mono float32 in [-1, 1] at 16 kHz, and a generator of random numbers,
and gives a clip of the same length, place and type. `clip_rng` gives each clip a generator of its
own, so that a condition does the same to it in whatever order clips come.
"""

from __future__ import annotations

import io
from collections.abc import Callable
from functools import cache
from typing import Any
from zlib import crc32

import numpy as np

from voicetraits.audio.level import speech_level
from voicetraits.audio.wav import samples_of, segment_of

SAMPLE_RATE = 16_000  # Hz
Condition = Callable[[np.ndarray, np.random.Generator], np.ndarray]

_MP3_KBIT = 32
# What LAME puts before the sound (576 samples) and a decoder after it (529).
_MP3_DELAY = 576 + 529
_LINE_RATE = 8_000  # Hz
_LINE_BAND = (300, 3400)  # Hz
_RT60 = 0.3  # seconds until the room's echo has fallen by 60 dB
_FIRST_ECHO = 0.002  # seconds after the direct sound: a wall at a third of a metre
_QUIET = 30.0  # dB


def clip_rng(clip: str, *, seed: int) -> np.random.Generator:
    """Random numbers of one clip, the same whatever comes before it.

    Args:
        clip: Its name.
        seed: Of the whole run.
    """
    return np.random.default_rng([seed, crc32(clip.encode())])


def under(name: str, pcm: np.ndarray, rate: int, rng: np.random.Generator) -> np.ndarray:
    """A stored clip under a condition.

    Args:
        name: In CONDITIONS.
        pcm: Mono, shape (samples,), int16.
        rate: In Hz; other than 16 kHz, the clip is resampled there and back.
        rng: From `clip_rng`.

    Returns:
        Shape (samples,), int16, at the same rate.
    """
    import soxr

    signal = pcm.astype(np.float32) / 32768
    if rate == SAMPLE_RATE:
        return samples_of(segment_of(CONDITIONS[name](signal, rng), rate))
    worse = CONDITIONS[name](soxr.resample(signal, rate, SAMPLE_RATE), rng)
    back = soxr.resample(worse, SAMPLE_RATE, rate)[: len(pcm)]
    return samples_of(segment_of(np.pad(back, (0, len(pcm) - len(back))), rate))


def as_it_is(signal: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """The clip itself."""
    return signal


def mp3(signal: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """MP3 at 32 kbit/s and back."""
    import lameenc
    import soundfile

    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(SAMPLE_RATE)
    encoder.set_bit_rate(_MP3_KBIT)
    encoder.set_quality(7)  # 2 is best and 7 fastest
    pcm = np.round(np.clip(signal, -1, 1) * 32767).astype("<i2")
    coded = bytes(encoder.encode(pcm.tobytes()) + encoder.flush())
    decoded, _rate = soundfile.read(io.BytesIO(coded), dtype="float32")
    found = decoded[_MP3_DELAY : _MP3_DELAY + len(signal)]
    return _whole(np.pad(found, (0, len(signal) - len(found))))


def telephone(signal: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """A telephone line: 8 kHz, 300 to 3400 Hz, 8 bits a sample by the mu-law.

    Source: ITU-T recommendation G.711, as libsndfile codes it.
    """
    import soundfile
    import soxr
    from scipy.signal import sosfilt

    line = sosfilt(
        _line_filter(), soxr.resample(signal.astype(np.float64), SAMPLE_RATE, _LINE_RATE)
    )
    coded = io.BytesIO()
    soundfile.write(coded, np.clip(line, -1, 1), _LINE_RATE, format="WAV", subtype="ULAW")
    coded.seek(0)
    heard, _rate = soundfile.read(coded, dtype="float64")
    back = soxr.resample(heard, _LINE_RATE, SAMPLE_RATE)[: len(signal)]
    return _whole(np.pad(back, (0, len(signal) - len(back))))


@cache
def _line_filter() -> Any:
    from scipy.signal import butter

    return butter(4, _LINE_BAND, btype="bandpass", fs=_LINE_RATE, output="sos")


def white_noise(snr: float) -> Condition:
    """The condition that adds white noise.

    Args:
        snr: Level of the speech above the noise, in dB; pauses do not count as speech.
    """

    def add(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        level = speech_level(signal, SAMPLE_RATE) - snr
        noise = rng.standard_normal(len(signal)) * 10 ** (level / 20)
        return _whole(signal + noise)

    return add


def small_room(signal: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A small room with an RT60 of 0.3 s, its echo as loud as the direct sound.

    Every clip has a room of its own. The level stays what it was.
    """
    from scipy.signal import fftconvolve

    wet = fftconvolve(signal.astype(np.float64), room_response(rng))[: len(signal)]
    before, after = (np.sqrt(np.mean(np.square(each))) for each in (signal.astype(float), wet))
    return _whole(wet * (before / after if after > 0 else 1))


def room_response(rng: np.random.Generator) -> np.ndarray:
    """Impulse response of a small room: the direct sound, then noise that decays exponentially.

    Source: Polack, La transmission de l'énergie sonore dans les salles, 1988.

    Returns:
        Shape (samples,), float64, at 16 kHz; the direct sound is 1, and so is the echo's energy.
    """
    time = np.arange(round(_RT60 * SAMPLE_RATE)) / SAMPLE_RATE
    echo = rng.standard_normal(len(time)) * 10 ** (-3 * time / _RT60)
    echo[: round(_FIRST_ECHO * SAMPLE_RATE)] = 0
    response = echo / np.linalg.norm(echo)
    response[0] = 1
    return response


def quiet(signal: np.ndarray, _: np.random.Generator) -> np.ndarray:
    """30 dB quieter, rounded to 16 bits: a far microphone with its gain left alone."""
    return _whole(np.round(signal * 10 ** (-_QUIET / 20) * 32768) / 32768)


def _whole(signal: np.ndarray) -> np.ndarray:
    """Cut off at full scale, as every recorder does."""
    return np.clip(signal, -1, 1).astype(np.float32)


# In the order in which they are shown.
CONDITIONS: dict[str, Condition] = {
    "as it is": as_it_is,
    "MP3, 32 kbit/s": mp3,
    "telephone": telephone,
    "white noise, 20 dB": white_noise(20),
    "white noise, 10 dB": white_noise(10),
    "small room": small_room,
    "30 dB quieter": quiet,
}
