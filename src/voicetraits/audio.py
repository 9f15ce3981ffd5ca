"""Any audio file in, one fixed-length mono clip out.

libsndfile (soundfile) decodes and soxr resamples, because both are fast and exact. pydub appends
the silence, cuts, writes WAV, and, through ffmpeg, decodes what libsndfile cannot read.
"""

from __future__ import annotations

import io
import math
import tempfile
import wave
from functools import cache
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import soundfile
import soxr

from voicetraits.errors import InputError
from voicetraits.files import whole_file

# What is outside comes from a damaged header, and costs memory or gives no speech.
_RATES = range(1000, 400_001)  # Hz
_MOST_CHANNELS = 32
_LOUDEST = 1e30  # 1 is full scale
_LONGEST = 24 * 3600  # seconds; a header that promises more says nothing about the duration

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


class Sound(NamedTuple):
    """A decoded audio file.

    Attributes:
        signal: Mono, shape (samples,), float32 in [-1, 1].
        duration: Of the whole file in seconds, however much of it was decoded; NaN where only
            decoding the rest would tell.
    """

    signal: np.ndarray
    duration: float


def decode(data: bytes, *, name: str, sample_rate: int, seconds: float | None = None) -> Sound:
    """Decode one audio file to mono.

    Args:
        data: The file's bytes: MP3, WAV, FLAC, OGG, or what ffmpeg reads.
        name: File name; its ending tells ffmpeg the format.
        sample_rate: Wanted rate in Hz.
        seconds: Decode no more than this from the start; None decodes all.

    Raises:
        AudioError: If the file is empty, is not audio, or holds NaN, no samples, or silence alone
            in what is decoded.
    """
    if not data:
        raise AudioError("empty file")
    try:
        return _decode(data, name, sample_rate, seconds)
    except (AudioError, OSError):
        raise  # OSError: of this machine, such as a full disk, and not of the clip
    except MemoryError:
        # A damaged header can promise terabytes; the array for them is made before any is read.
        raise AudioError("header promises more samples than memory holds") from None
    except Exception as error:
        # Garbage reaches libraries in C in ways that nobody has foreseen, and is no reason to
        # lose the other clips.
        raise AudioError(f"not decodable: {type(error).__name__}: {error}") from error


def _decode(data: bytes, name: str, sample_rate: int, seconds: float | None) -> Sound:
    # A tenth of a second more, so that the resampler's tail falls behind the cut.
    wanted = math.inf if seconds is None else seconds + 0.1
    try:
        channels, rate, frames = _decode_soundfile(data, wanted)
    except soundfile.LibsndfileError as error:
        channels, rate, frames = _decode_ffmpeg(data, name, wanted, reason=error.error_string)
    if not len(channels):
        raise AudioError("no samples")
    # The mean over one channel is that channel, and would take as long as its decoding does.
    mono = channels[:, 0] if channels.shape[1] == 1 else channels.mean(axis=1, dtype=np.float32)
    low, high = float(mono.min()), float(mono.max())
    # Written so that NaN fails, too; larger numbers become infinite on the way.
    if not (low > -_LOUDEST and high < _LOUDEST):
        raise AudioError("samples that are not numbers")
    if high - low < 2**-15:  # the smallest step of 16-bit WAV
        raise AudioError("silence alone")
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    if not len(mono):
        raise AudioError("no samples")
    # Where decoding came to the end, the samples tell; elsewhere, the header.
    at_end = len(channels) < wanted * rate - 1
    duration = (len(channels) if at_end else frames) / rate
    return Sound(mono, duration if duration <= _LONGEST else math.nan)


def _decode_soundfile(data: bytes, wanted: float) -> tuple[np.ndarray, int, float]:
    """Samples (frames, channels), sample rate in Hz, and the frames of the whole file."""
    with soundfile.SoundFile(io.BytesIO(data)) as file:
        rate = file.samplerate
        if rate not in _RATES:
            raise AudioError("a sample rate that no recorder has")
        if file.channels > _MOST_CHANNELS:
            raise AudioError(f"more than {_MOST_CHANNELS} channels")
        frames = -1 if math.isinf(wanted) else int(wanted * rate)
        return file.read(frames, dtype="float32", always_2d=True), rate, file.frames


def _decode_ffmpeg(
    data: bytes, name: str, wanted: float, *, reason: str
) -> tuple[np.ndarray, int, float]:
    """The same, but for the frames of the whole file: NaN, as ffmpeg tells only by decoding."""
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
                duration=None if math.isinf(wanted) else wanted,
            )
        except (CouldntDecodeError, IndexError) as error:
            raise AudioError(f"not readable as audio: {reason}") from error
    samples = np.array(segment.get_array_of_samples()).reshape(-1, segment.channels)
    channels = samples.astype(np.float32) / 2 ** (8 * segment.sample_width - 1)
    return channels, segment.frame_rate, math.nan


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
    # Not by libsndfile, which takes longer to open a file than this takes to read it.
    with wave.open(io.BytesIO(data)) as file:
        samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
        return samples, file.getframerate()


def write_wav(path: Path, signal: np.ndarray, sample_rate: int) -> None:
    """Write a mono signal, float in [-1, 1], as a 16-bit WAV file at its own length."""
    with whole_file(path) as partial:
        partial.write_bytes(wav_bytes(fix_length(signal, sample_rate, samples=len(signal))))
