"""Any audio file in, its sound at one sample rate in mono out.

libsndfile decodes and soxr resamples, both fast and exact; ffmpeg decodes the rest. Of several
channels the mean is taken, of a long file the start, if they are heard in them (`audible`).
"""

from __future__ import annotations

import io
import math
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import numpy as np
import soundfile
import soxr

from voicetraits.audio.audible import (
    CUT_LATER,
    FARTHEST,
    ONE_CHANNEL,
    mix,
    plainly_sounds,
    where_sound_begins,
)
from voicetraits.audio.wav import segment_type
from voicetraits.errors import InputError

# What is outside comes from a damaged header, and costs memory or gives no speech.
_RATES = range(1000, 400_001)  # Hz
_MOST_CHANNELS = 32
_LOUDEST = 1e15  # 1 is full scale; squares of more are no float32
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
        note: What was taken in place of the start, or of the mean of the channels; else empty.
    """

    signal: np.ndarray
    duration: float
    note: str


def decode(
    data: bytes,
    *,
    name: str,
    sample_rate: int,
    seconds: float = math.inf,
    longest: float | None = None,
) -> Sound:
    """Decode one audio file to mono.

    Args:
        data: The file's bytes: MP3, WAV, FLAC, OGG, or what ffmpeg reads.
        name: File name; its ending tells ffmpeg the format.
        sample_rate: Wanted rate in Hz.
        seconds: What is decoded begins at the start, or, where these first seconds hold nearly
            nothing that is heard, shortly before the sound.
        longest: Decode no more seconds than this, `seconds` or more; by default, `seconds`. What
            follows the first `seconds` changes nothing in them, nor whether the file is refused.

    Raises:
        AudioError: If the file is empty, is not audio, or holds no samples, silence alone, or NaN
            in the first `seconds` of what is decoded. A NaN after them ends the clip.
    """
    if not data:
        raise AudioError("empty file")
    try:
        return _decode(data, name, sample_rate, seconds, longest or seconds)
    except (AudioError, OSError):
        raise  # OSError: of this machine, such as a full disk, and not of the clip
    except MemoryError:
        # A damaged header can promise terabytes; the array for them is made before any is read.
        raise AudioError("header promises more samples than memory holds") from None
    except Exception as error:
        # Garbage reaches libraries in C in ways that nobody has foreseen, and is no reason to
        # lose the other clips.
        raise AudioError(f"not decodable: {type(error).__name__}: {error}") from error


def _decode(data: bytes, name: str, sample_rate: int, seconds: float, longest: float) -> Sound:
    # A tenth of a second more, so that the resampler's tail falls behind the cut.
    first, wanted = seconds + 0.1, longest + 0.1
    by = "libsndfile"
    try:
        channels, rate, frames = _decode_soundfile(data, wanted)
    except soundfile.LibsndfileError as error:
        by = "ffmpeg"
        channels, rate, frames = _decode_ffmpeg(data, name, wanted, reason=_why(error))
    notes = []
    # Where decoding came to the end, the samples tell; elsewhere, the header.
    at_end = len(channels) < wanted * rate - 1
    duration = (len(channels) if at_end else frames) / rate
    deciding = len(channels) if math.isinf(first) else int(first * rate)
    channels = _numbers(channels, deciding)
    if len(channels) >= first * rate - 1 and not plainly_sounds(channels[:deciding], rate):
        later = _decode_later(data, name, first, wanted, by=by)
        if later is not None:
            channels = _numbers(later, deciding)
            notes.append(CUT_LATER)
    mono, one_channel = mix(channels, rate, deciding=deciding)
    if one_channel:
        notes.append(ONE_CHANNEL)
    start = mono[:deciding]
    if float(start.max()) - float(start.min()) < 2**-15:  # the smallest step of 16-bit WAV
        raise AudioError("silence alone")
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    if not len(mono):
        raise AudioError("no samples")
    return Sound(mono, duration if duration <= _LONGEST else math.nan, ", ".join(notes))


def _numbers(channels: np.ndarray, deciding: int) -> np.ndarray:
    """The samples up to the first that is not a number, which must lie behind the first part."""
    if not len(channels):
        raise AudioError("no samples")
    end = len(channels)
    # Written so that NaN fails, too; larger numbers become infinite on the way.
    if not (float(channels.min()) > -_LOUDEST and float(channels.max()) < _LOUDEST):
        end = int((np.abs(channels) < _LOUDEST).all(axis=1).argmin())
        if end < deciding:
            raise AudioError("samples that are not numbers")
    return channels[:end]


def _why(error: soundfile.LibsndfileError) -> str:
    """What libsndfile says of a file, which for an MP3 that is cut off after its tags is wrong."""
    if "does not exist" in error.error_string:
        return "cut off, or too damaged to be read"
    return error.error_string


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
    audio_segment = segment_type()
    from pydub.exceptions import CouldntDecodeError

    # A real file, since some containers (MP4) cannot be read from a pipe.
    with tempfile.NamedTemporaryFile(suffix=f".{ending}") as file:
        file.write(data)
        file.flush()
        try:
            segment = audio_segment.from_file(
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


def _decode_later(
    data: bytes, name: str, first: float, wanted: float, *, by: str
) -> np.ndarray | None:
    """Seconds from where the sound begins; none where the first seconds hold it already."""
    with (
        io.BytesIO(data) if by == "libsndfile" else _as_flac(data, name) as source,
        soundfile.SoundFile(source) as opened,
        _seekable(opened) as file,
    ):
        begin = where_sound_begins(file, seconds=first)
        if begin is None:
            return None
        # From a second before: Vorbis needs a frame or two after a leap to be exact.
        early = max(0, begin - file.samplerate)
        file.seek(early)
        frames = begin - early + int(wanted * file.samplerate)
        return file.read(frames, dtype="float32", always_2d=True)[begin - early :]


@contextmanager
def _seekable(file: soundfile.SoundFile) -> Iterator[soundfile.SoundFile]:
    """The same file, or a WAV of it where it is only read from front to back, as GSM 6.10 is."""
    if file.seekable():
        yield file
        return
    samples = file.read(int(FARTHEST * file.samplerate), dtype="float32", always_2d=True)
    with io.BytesIO() as copy:
        soundfile.write(copy, samples, file.samplerate, format="WAV", subtype="FLOAT")
        copy.seek(0)
        with soundfile.SoundFile(copy) as recording:
            yield recording


@contextmanager
def _as_flac(data: bytes, name: str) -> Iterator[Path]:
    """What libsndfile cannot read, brought by ffmpeg to a file that it can read in parts."""
    ending = Path(name).suffix.lower().lstrip(".")
    with tempfile.TemporaryDirectory() as folder:
        source, flac = Path(folder, f"a.{ending}"), Path(folder, "b.flac")
        source.write_bytes(data)
        command = [segment_type().converter, "-loglevel", "error", "-nostdin"]
        command += ["-acodec", _FFMPEG_CODECS[ending], "-f", ending, "-i", str(source)]
        command += ["-vn", "-sample_fmt", "s16", "-t", str(FARTHEST), str(flac)]
        if subprocess.run(command, capture_output=True).returncode:
            raise AudioError("not readable as audio beyond its start")
        yield flac
