"""A recording as what the networks hear: mono at 16 kHz."""

from __future__ import annotations

import math
import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple, TypeAlias

import numpy as np
import soundfile
import soxr

from voicetraits.audio.audible import mix
from voicetraits.audio.decode import LOUDEST, RATES, AudioError, decode
from voicetraits.audio.ffmpeg import FfmpegFile
from voicetraits.audio.libsndfile import MisreadError, by_libsndfile
from voicetraits.errors import InputError
from voicetraits.export.contract import SAMPLE_RATE

# As WAV has samples. Of others, such as int64, nobody knows what full scale is.
_INTEGERS = tuple(map(np.dtype, ("uint8", "int16", "int32")))
_SILENCE = "silence alone"  # decode's reason, which is an answer here and no error


class Recording(NamedTuple):
    """A recording.

    Attributes:
        samples: At 16 kHz, shape (n,), float32, finite.
        seconds: Its length; NaN for a silent one in a format that does not say it.
    """

    samples: np.ndarray
    seconds: float


# What a recording may be given as: a path, the bytes of an audio file, samples, or read already.
Source: TypeAlias = str | os.PathLike[str] | bytes | np.ndarray | Recording


def recording_of(
    source: Source, sample_rate: int | None = None, *, longest: float = math.inf
) -> Recording:
    """Read a recording.

    Args:
        source: A path, the bytes of an audio file, or samples: shape (n,) or (n, channels), floats
            with 1 as full scale, or integers as WAV has them. One that is read already is given
            back.
        sample_rate: Of samples, in Hz.
        longest: Seconds that a file may have. Of a longer one, no more than this is decoded.

    Raises:
        InputError: If it cannot be read or is too long, or samples come without a rate or are not
            finite.
    """
    if isinstance(source, Recording):
        return source
    if isinstance(source, np.ndarray):
        return _of_samples(source, sample_rate)
    if isinstance(source, bytes):
        return _of_file(source, "recording", longest)
    path = Path(source)
    try:
        kind = path.stat().st_mode
        endless = stat.S_ISCHR(kind) or stat.S_ISBLK(kind)
        content = b"" if endless else path.read_bytes()
    except OSError as error:
        raise InputError(f"{path}: {error.strerror}") from error
    except ValueError as error:  # of a name that no file can have
        raise InputError(f"{source!r}: {error}") from error
    if endless:
        raise InputError(f"{path}: a device and no recording")
    return _of_file(content, path.name, longest)


def _of_file(content: bytes, name: str, longest: float) -> Recording:
    try:
        # A second more, which shows that a file goes on where it does not say its length.
        sound = decode(content, name=name, sample_rate=SAMPLE_RATE, seconds=longest + 1)
    except AudioError as error:
        if str(error) != _SILENCE:
            raise
        silent = Recording(np.empty(0, np.float32), _stated_seconds(content))
        _refuse_longer(silent.seconds, longest)
        return silent
    samples = np.ascontiguousarray(sound.signal, np.float32)
    _refuse_longer(sound.duration, longest)
    _refuse_longer(len(samples) / SAMPLE_RATE, longest)
    return Recording(samples, len(samples) / SAMPLE_RATE)


def _refuse_longer(seconds: float, longest: float) -> None:
    # A length that is not known, NaN, is not longer.
    if seconds > longest:
        raise InputError(f"longer than {longest / 60:g} minutes")


def _stated_seconds(content: bytes) -> float:
    with suppress(soundfile.LibsndfileError, MisreadError), by_libsndfile(content) as known:
        return known.frames / known.samplerate
    with FfmpegFile(content) as other:
        return other.frames / other.samplerate


def _of_samples(samples: np.ndarray, rate: int | None) -> Recording:
    if rate is None:
        raise InputError("samples come without their rate; give sample_rate in Hz")
    if not RATES.start <= rate < RATES.stop:
        raise InputError(f"sample_rate {rate}: give {RATES.start:,} to {RATES.stop - 1:,} Hz")
    # Other libraries have the channels first; taken for samples, they would be a moment of silence.
    channels_first = samples.ndim == 2 and samples.shape[0] < samples.shape[1]
    if samples.ndim not in (1, 2) or not samples.size or channels_first:
        raise InputError(f"samples of shape {samples.shape}; give (n,) or (n, channels)")
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype in _INTEGERS:
        zero, full = (128, 128) if samples.dtype == np.uint8 else (0, np.iinfo(samples.dtype).max)
        samples = (samples.astype(np.float64) - zero) / full
    elif samples.dtype.kind != "f":
        raise InputError(
            f"samples of type {samples.dtype}; give floats, or {', '.join(map(str, _INTEGERS))}"
        )
    # Written so that NaN fails, too.
    if not (np.abs(samples) < LOUDEST).all():
        raise InputError(f"samples that are no numbers below {LOUDEST:g}, where 1 is full scale")
    channels = samples.reshape(len(samples), -1).astype(np.float32)
    mono, _ = mix(channels, rate, deciding=len(channels))
    if rate != SAMPLE_RATE:
        mono = soxr.resample(mono, rate, SAMPLE_RATE, quality="HQ")
    return Recording(np.ascontiguousarray(mono, np.float32), len(channels) / rate)
