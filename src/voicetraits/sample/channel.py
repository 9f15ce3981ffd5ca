"""Recording channel of the sample corpus: room, microphone, noise, level, MP3.

Every locale draws from the same distributions, so that a recording says nothing about the
language, and no channel belongs to one gender.
"""

from __future__ import annotations

import io
import math
from dataclasses import dataclass

import lameenc
import numpy as np
import soundfile
from scipy import fft

_BIT_RATES = {32000: 48, 48000: 64}  # kbit/s by sample rate in Hz, much as Common Voice has them


@dataclass(frozen=True, kw_only=True)
class Channel:
    """How one speaker is recorded.

    Attributes:
        sample_rate: Of the MP3, in Hz.
        peak: Level of the loudest sample, in dB below full scale.
        snr: Level of the speech above the noise, in dB.
        noise_slope: Fall of the noise towards high frequencies, in dB per octave.
        low_cut, high_cut: Pass band of the microphone, in Hz.
        echo: Level of the room's echo relative to the direct sound.
        decay: Time in which the echo falls by 60 dB, in seconds.
        room: Seed of the echo's fine structure.
    """

    sample_rate: int
    peak: float
    snr: float
    noise_slope: float
    low_cut: float
    high_cut: float
    echo: float
    decay: float
    room: int


def draw_channel(rng: np.random.Generator) -> Channel:
    """Draw one speaker's room, microphone and habits."""
    return Channel(
        sample_rate=int(rng.choice(sorted(_BIT_RATES))),
        peak=float(rng.uniform(2, 20)),
        snr=float(rng.uniform(15, 45)),
        noise_slope=float(rng.uniform(0, 5)),
        low_cut=float(rng.uniform(30, 150)),
        high_cut=float(np.exp(rng.uniform(np.log(3000), np.log(10000)))),
        echo=float(rng.uniform(0, 0.5)),
        decay=float(rng.uniform(0.1, 0.5)),
        room=int(rng.integers(2**32)),
    )


def record(
    speech: np.ndarray, sample_rate: int, channel: Channel, rng: np.random.Generator
) -> np.ndarray:
    """Record speech through a channel, with a little silence before and after it.

    Args:
        speech: Mono PCM, shape (samples,), int16.
        sample_rate: Of the speech, in Hz.
        channel: The speaker's channel.
        rng: Random numbers of this clip: silences, noise, level.

    Returns:
        Mono PCM at channel.sample_rate, shape (samples,), int16.
    """
    before, after = (rng.uniform(0.1, 0.5, 2) * sample_rate).astype(int)
    length = before + len(speech) + after
    # Everything happens in one transform, whose length leaves room for the end of the echo. It is
    # a whole number of samples at both rates, so that the way back resamples, too.
    room = _room(channel, sample_rate)
    common = math.gcd(sample_rate, channel.sample_rate)
    unit, resampled_unit = sample_rate // common, channel.sample_rate // common
    units = fft.next_fast_len(math.ceil((length + len(room)) / unit), real=True)
    padded = units * unit
    dry = np.zeros(padded, dtype=np.float32)
    dry[before : before + len(speech)] = speech
    frequencies = fft.rfftfreq(padded, 1 / sample_rate).astype(np.float32)
    frequencies[0] = frequencies[1]  # the slopes below have no value at 0 Hz

    spectrum = fft.rfft(dry) * fft.rfft(room, padded)
    noise = rng.standard_normal(2 * len(frequencies), dtype=np.float32).view(np.complex64)
    noise *= np.exp(np.float32(-channel.noise_slope / 6.02) * np.log(frequencies))
    noise *= np.linalg.norm(spectrum) / np.linalg.norm(noise) * 10 ** (-channel.snr / 20)
    spectrum = (spectrum + noise) * _microphone(channel, frequencies)

    wet = fft.irfft(spectrum, units * resampled_unit)[: length * resampled_unit // unit]
    wet *= 10 ** (-(channel.peak + rng.uniform(-2, 2)) / 20) / np.abs(wet).max()
    return (np.clip(wet, -1, 1) * 32767).astype(np.int16)


def _room(channel: Channel, sample_rate: int) -> np.ndarray:
    """Impulse response: the direct sound, then noise that decays exponentially."""
    count = int(channel.decay * sample_rate)
    tail = np.random.default_rng(channel.room).standard_normal(count, dtype=np.float32)
    tail *= np.logspace(0, -3, count, dtype=np.float32)
    response = channel.echo * tail / np.linalg.norm(tail)
    response[0] = 1
    return response


def _microphone(channel: Channel, frequencies: np.ndarray) -> np.ndarray:
    """Gain at each frequency: 12 dB per octave below the pass band, 24 above it."""
    above = np.square(np.square(frequencies / channel.high_cut))  # squares: powers are slow
    below = np.square(channel.low_cut / frequencies)
    return 1 / np.sqrt((1 + np.square(above)) * (1 + np.square(below)))


def encode_mp3(signal: np.ndarray, sample_rate: int) -> bytes:
    """Encode as MP3, the same bytes for the same signal.

    Args:
        signal: Mono PCM, shape (samples,), int16.
        sample_rate: In Hz, 32,000 or 48,000.
    """
    encoder = lameenc.Encoder()
    encoder.silence()
    encoder.set_channels(1)
    encoder.set_in_sample_rate(sample_rate)
    encoder.set_bit_rate(_BIT_RATES[sample_rate])
    encoder.set_quality(7)  # 2 is best and 7 fastest; at 48 kbit/s hardly a difference
    return bytes(encoder.encode(signal.tobytes()) + encoder.flush())


def duration(mp3: bytes) -> int:
    """Length of an MP3 as a decoder finds it, in milliseconds."""
    return round(1000 * soundfile.info(io.BytesIO(mp3)).duration)
