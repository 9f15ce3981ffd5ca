"""Clips at their own length or at one length for all, and WAV files in and out, by pydub."""

from __future__ import annotations

import io
import wave
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np

from voicetraits.params import Clip
from voicetraits.storage.files import whole_file


@cache
def segment_type() -> Any:
    """Pydub's AudioSegment."""
    import warnings

    with warnings.catch_warnings():
        # pydub warns when the machine has no ffmpeg program, which WAV does not need.
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
    return AudioSegment


def clip_samples(clip: Clip) -> int:
    """Length of every clip that is brought to one length, in samples."""
    return round(clip.seconds * clip.sample_rate)


def fix_length(signal: np.ndarray, sample_rate: int, *, samples: int) -> Any:
    """Bring a clip to one length: silence appended, or cut.

    Args:
        signal: Shape (n,), int16, or float in [-1, 1] as for `segment_of`.
        sample_rate: In Hz.
        samples: Wanted length.

    Returns:
        A pydub AudioSegment: mono, 16 bit, exactly `samples` long.
    """
    segment = segment_of(signal, sample_rate)
    missing = samples - len(signal)
    if missing > 0:
        # pydub counts silence in whole milliseconds: one too many, then cut to the sample.
        silence = segment.silent(1000 * missing // sample_rate + 1, frame_rate=sample_rate)
        segment = segment.append(silence, crossfade=0)
    return segment.get_sample_slice(0, samples)


def segment_of(signal: np.ndarray, sample_rate: int) -> Any:
    """A clip at its own length as a pydub AudioSegment: mono, 16 bit.

    Args:
        signal: Shape (n,), int16, or float in [-1, 1], where louder samples are clipped.
        sample_rate: In Hz.
    """
    if signal.dtype.kind == "f":
        signal = np.clip(np.round(signal * 32768.0), -32768, 32767)
    pcm = signal.astype("<i2").tobytes()
    return segment_type()(pcm, sample_width=2, frame_rate=sample_rate, channels=1)


def samples_of(segment: Any) -> np.ndarray:
    """Samples of a mono 16-bit AudioSegment, shape (n,), int16."""
    return np.frombuffer(segment.raw_data, dtype="<i2")


def wav_bytes(segment: Any) -> bytes:
    """An AudioSegment as a WAV file, 16-bit PCM."""
    buffer = io.BytesIO()
    segment.export(buffer, format="wav")
    return buffer.getvalue()


def read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """Samples (n,), int16, and sample rate in Hz of a mono 16-bit WAV file."""
    # Not by libsndfile, which takes longer to open a file than this takes to read it.
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples, file.getframerate()


def write_wav(path: Path, signal: np.ndarray, sample_rate: int) -> None:
    """Write a mono signal, float in [-1, 1], as a 16-bit WAV file at its own length."""
    with whole_file(path) as partial:
        partial.write_bytes(wav_bytes(fix_length(signal, sample_rate, samples=len(signal))))
