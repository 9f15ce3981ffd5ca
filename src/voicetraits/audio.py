"""Any audio file in, one fixed-length mono clip out.

libsndfile (soundfile) decodes and soxr resamples, because both are fast and exact. pydub appends
the silence, cuts, writes WAV, and, through ffmpeg, decodes what libsndfile cannot read.
"""

from __future__ import annotations

import io
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr

from voicetraits.errors import InputError
from voicetraits.files import whole_file

# ffmpeg's decoder for each file ending. Naming it keeps pydub from asking ffprobe, which
# imageio-ffmpeg does not ship, and keeps ffmpeg from guessing at what a file could be.
_FFMPEG_CODECS = {
    "mp3": "mp3",
    "wav": "pcm_s16le",
    "flac": "flac",
    "ogg": "vorbis",
    "m4a": "aac",
    "mp4": "aac",
    "aac": "aac",
    "webm": "opus",
    "amr": "amrnb",
}


class AudioError(InputError):
    """A clip that cannot be used; the message says why."""


def decode(data: bytes, *, name: str, sample_rate: int, seconds: float | None = None) -> np.ndarray:
    """Decode one audio file to mono.

    Args:
        data: The file's bytes: MP3, WAV, FLAC, OGG, or what ffmpeg reads.
        name: File name; its ending tells ffmpeg the format.
        sample_rate: Wanted rate in Hz.
        seconds: Decode no more than this from the start; None decodes all.

    Returns:
        Shape (samples,), float32 in [-1, 1].

    Raises:
        AudioError: If the file is empty, is not audio, or holds NaN or no samples.
    """
    if not data:
        raise AudioError("empty file")
    try:
        channels, rate = _decode_soundfile(data, seconds)
    except soundfile.LibsndfileError as error:
        channels, rate = _decode_ffmpeg(data, name, seconds, reason=error.error_string)
    except MemoryError:
        # A damaged header can promise terabytes; the array for them is made before any is read.
        raise AudioError("header promises more samples than memory holds") from None
    if not len(channels):
        raise AudioError("no samples")
    if not np.isfinite(channels).all():
        raise AudioError("samples that are not numbers")
    mono = channels.mean(axis=1, dtype=np.float32)
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    if not len(mono):
        raise AudioError("no samples")
    return mono


def _decode_soundfile(data: bytes, seconds: float | None) -> tuple[np.ndarray, int]:
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        # A tenth of a second more, so that the resampler's tail falls behind the cut.
        frames = -1 if seconds is None else int((seconds + 0.1) * file.samplerate)
        return file.read(frames, dtype="float32", always_2d=True), file.samplerate


def _decode_ffmpeg(
    data: bytes, name: str, seconds: float | None, *, reason: str
) -> tuple[np.ndarray, int]:
    ending = Path(name).suffix.lower().lstrip(".")
    codec = _FFMPEG_CODECS.get(ending)
    if codec is None:
        raise AudioError(f"not readable as audio: {reason}")
    segment_type = _pydub()
    from pydub.exceptions import CouldntDecodeError

    # A real file, since some containers (MP4) cannot be read from a pipe.
    with tempfile.NamedTemporaryFile(suffix=f".{ending}") as file:
        file.write(data)
        file.flush()
        try:
            segment = segment_type.from_file(
                file.name,
                format=ending,
                codec=codec,
                duration=None if seconds is None else seconds + 0.1,
            )
        except (CouldntDecodeError, IndexError) as error:
            raise AudioError(f"not readable as audio: {reason}") from error
    samples = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    return samples.astype(np.float32) / 2 ** (8 * segment.sample_width - 1), segment.frame_rate


@cache
def _pydub() -> Any:
    """Pydub's AudioSegment, told to use the ffmpeg that pip installed."""
    import warnings

    import imageio_ffmpeg

    with warnings.catch_warnings():
        # pydub warns when the machine has no ffmpeg of its own: ours is set below.
        warnings.simplefilter("ignore")
        from pydub import AudioSegment
    AudioSegment.converter = imageio_ffmpeg.get_ffmpeg_exe()
    return AudioSegment


def fix_length(signal: np.ndarray, sample_rate: int, *, samples: int) -> Any:
    """Bring a clip to one length: silence appended, or cut.

    Args:
        signal: Shape (n,), float in [-1, 1]; louder samples are clipped.
        sample_rate: In Hz.
        samples: Wanted length.

    Returns:
        A pydub AudioSegment: mono, 16 bit, exactly `samples` long.
    """
    segment_type = _pydub()
    pcm = np.clip(np.round(signal * 32768.0), -32768, 32767).astype("<i2")
    segment = segment_type(pcm.tobytes(), sample_width=2, frame_rate=sample_rate, channels=1)
    missing = samples - len(pcm)
    if missing > 0:
        # pydub counts silence in whole milliseconds: one too many, then cut to the sample.
        silence = segment_type.silent(1000 * missing // sample_rate + 1, frame_rate=sample_rate)
        segment = segment.append(silence, crossfade=0)
    return segment.get_sample_slice(0, samples)


def wav_bytes(segment: Any) -> bytes:
    """An AudioSegment as a WAV file, 16-bit PCM."""
    buffer = io.BytesIO()
    segment.export(buffer, format="wav")
    return buffer.getvalue()


def read_wav(data: bytes) -> tuple[np.ndarray, int]:
    """Samples (n,), int16, and sample rate in Hz of a mono 16-bit WAV file."""
    samples, rate = soundfile.read(io.BytesIO(data), dtype="int16")
    return samples, rate


def write_wav(path: Path, signal: np.ndarray, sample_rate: int) -> None:
    """Write a mono signal, float in [-1, 1], as a 16-bit WAV file at its own length."""
    with whole_file(path) as partial:
        partial.write_bytes(wav_bytes(fix_length(signal, sample_rate, samples=len(signal))))
