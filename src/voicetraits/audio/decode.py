"""Any audio file in, its sound at one sample rate in mono out.

libsndfile decodes and soxr resamples, both fast and exact; FFmpeg decodes what libsndfile cannot.
Of several channels the mean is taken, of a long file the start, if they are heard in them
(`audible`). What a file is, its bytes say: its name plays no part.
"""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import NamedTuple, TypeAlias

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
from voicetraits.audio.ffmpeg import QUIETEST, FfmpegError, FfmpegFile
from voicetraits.audio.libsndfile import MisreadError, by_libsndfile
from voicetraits.errors import InputError

# What is outside comes from a damaged header, and costs memory or gives no speech.
RATES = range(1000, 400_001)  # Hz
_MOST_CHANNELS = 32
LOUDEST = 1e15  # 1 is full scale; squares of more are no float32
_AT_A_TIME = 300.0  # seconds of a recording that are in memory at its own rate and channels
_LONGEST = 24 * 3600  # seconds; a header that promises more says nothing about the duration

_File: TypeAlias = soundfile.SoundFile | FfmpegFile
_Opener: TypeAlias = Callable[[bytes], _File]


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
        data: The file's bytes: MP3, WAV, FLAC, OGG, or what phones, browsers and messengers make.
        name: File name, for the caller's sake: the bytes alone say what the file is.
        sample_rate: Wanted rate in Hz.
        seconds: What is decoded begins at the start, or, where these first seconds hold nearly
            nothing that is heard, shortly before the sound. By default, the whole file is decoded.
        longest: Decode no more seconds than this, `seconds` or more; by default, `seconds`. What
            follows the first `seconds` changes nothing in them, nor whether the file is refused.

    Raises:
        AudioError: If the file is empty, is not audio, or has no audio stream, no samples,
            silence alone, or NaN in the first `seconds` of what is decoded. A NaN after them ends
            the clip.
    """
    if not data:
        raise AudioError("empty file")
    try:
        if math.isinf(seconds):
            return _decode_whole(data, sample_rate)
        return _decode(data, sample_rate, seconds, longest or seconds)
    except (AudioError, ImportError, OSError):
        raise  # the last two: of this machine, such as a package that is missing, not of the clip
    except MemoryError:
        # A damaged header can promise terabytes; the array for them is made before any is read.
        raise AudioError("header promises more samples than memory holds") from None
    except Exception as error:
        # Garbage reaches libraries in C in ways that nobody has foreseen, and is no reason to
        # lose the other clips.
        raise AudioError(f"not decodable: {type(error).__name__}: {error}") from error


def _decode(data: bytes, sample_rate: int, seconds: float, longest: float) -> Sound:
    # A tenth of a second more, so that the resampler's tail falls behind the cut.
    first, wanted = seconds + 0.1, longest + 0.1
    opener, channels, rate, frames = _begun(data, wanted)
    notes = []
    # Where decoding came to the end, the samples tell; elsewhere, header or packets.
    at_end = len(channels) < wanted * rate - 1
    duration = (len(channels) if at_end else frames) / rate
    deciding = int(first * rate)
    channels = _numbers(channels, deciding)
    if len(channels) >= first * rate - 1 and not plainly_sounds(channels[:deciding], rate):
        later = _later_part(opener, data, first, wanted)
        if later is not None:
            channels = _numbers(later, deciding)
            notes.append(CUT_LATER)
    mono, one_channel = mix(channels, rate, deciding=deciding)
    if one_channel:
        notes.append(ONE_CHANNEL)
    span = float(np.ptp(mono[:deciding]))
    if rate != sample_rate:
        mono = soxr.resample(mono, rate, sample_rate, quality="HQ")
    return _sound(mono, duration, notes, span=span)


def _decode_whole(data: bytes, sample_rate: int) -> Sound:
    """A file from its start to its end, of which a few minutes alone are held as they are."""
    opener, first, rate, _ = _begun(data, _AT_A_TIME)
    size = int(_AT_A_TIME * rate)
    if len(first) < size:
        return _joined([first], rate, sample_rate)
    del first  # it is decoded once more, with what follows
    with suppress(soundfile.LibsndfileError):  # damaged later on; FFmpeg leaves that out
        return _joined(_blocks(opener, data, size), rate, sample_rate)
    return _joined(_blocks(FfmpegFile, data, size), rate, sample_rate)


def _blocks(opener: _Opener, data: bytes, size: int) -> Iterator[np.ndarray]:
    with opener(data) as file:
        while len(block := file.read(size, dtype="float32", always_2d=True)):
            yield block


def _joined(blocks: Iterable[np.ndarray], rate: int, sample_rate: int) -> Sound:
    """Blocks of a recording, in each of which its channels are heard as they are there."""
    resampler = soxr.ResampleStream(rate, sample_rate, 1, dtype="float32", quality="HQ")
    parts, decoded, lowest, highest = [], 0, math.inf, -math.inf
    notes = set()
    for block in blocks:
        mono, one_channel = mix(_numbers(block, len(block)), rate, deciding=len(block))
        if one_channel:
            notes.add(ONE_CHANNEL)
        decoded += len(mono)
        lowest, highest = min(lowest, float(mono.min())), max(highest, float(mono.max()))
        parts.append(mono if rate == sample_rate else resampler.resample_chunk(mono))
    if rate != sample_rate:
        parts.append(resampler.resample_chunk(np.empty(0, np.float32), last=True))
    mono = np.concatenate(parts)
    return _sound(mono, decoded / rate, notes, span=highest - lowest)


def _sound(mono: np.ndarray, duration: float, notes: Iterable[str], *, span: float) -> Sound:
    if span < QUIETEST:
        raise AudioError("silence alone")
    if not len(mono):
        raise AudioError("no samples")
    return Sound(mono, duration if duration <= _LONGEST else math.nan, ", ".join(notes))


def _begun(data: bytes, wanted: float) -> tuple[_Opener, np.ndarray, int, float]:
    """What can open the file, and its first part as `_first_part` has it."""
    refused = "no samples"
    try:
        part = _first_part(by_libsndfile, data, wanted)
        if len(part[0]):
            return by_libsndfile, *part
        # A recorder that was cut off leaves a header that says so; FFmpeg reads what follows.
    except soundfile.LibsndfileError as error:
        refused = f"not readable as audio: {_why(error, data)}"
    except MisreadError:
        refused = "not readable as audio"
    try:
        return FfmpegFile, *_first_part(FfmpegFile, data, wanted)
    except FfmpegError as error:
        raise AudioError(str(error) or refused) from error


def _numbers(channels: np.ndarray, deciding: int) -> np.ndarray:
    """The samples up to the first that is not a number, which must lie behind the first part."""
    if not len(channels):
        raise AudioError("no samples")
    end = len(channels)
    # Written so that NaN fails, too; larger numbers become infinite on the way.
    if not (float(channels.min()) > -LOUDEST and float(channels.max()) < LOUDEST):
        end = int((np.abs(channels) < LOUDEST).all(axis=1).argmin())
        if end < deciding:
            raise AudioError("samples that are not numbers")
    return channels[:end]


def _why(error: soundfile.LibsndfileError, data: bytes) -> str:
    """What libsndfile says of a file that FFmpeg does not read either, unless it is wrong.

    It is wrong for an MP3 that is cut off after its tags, and it does not know MP4, of which the
    end is needed, too.
    """
    if "does not exist" in error.error_string or data[4:8] == b"ftyp":
        return "cut off, or too damaged to be read"
    return error.error_string


def _first_part(opener: _Opener, data: bytes, wanted: float) -> tuple[np.ndarray, int, float]:
    """Samples (frames, channels), sample rate in Hz, and the frames of the whole file or NaN."""
    with opener(data) as file:
        rate = file.samplerate
        if rate not in RATES:
            raise AudioError("a sample rate that no recorder has")
        if file.channels > _MOST_CHANNELS:
            raise AudioError(f"more than {_MOST_CHANNELS} channels")
        samples = file.read(int(wanted * rate), dtype="float32", always_2d=True)
        return samples, rate, file.frames


def _later_part(opener: _Opener, data: bytes, first: float, wanted: float) -> np.ndarray | None:
    """Seconds from where the sound begins; none where the first seconds hold it already."""
    with opener(data) as opened, _seekable(opened) as file:
        begin = where_sound_begins(file, seconds=first)
        if begin is None:
            return None
        # From a second before: Vorbis needs a frame or two after a leap to be exact.
        early = max(0, begin - file.samplerate)
        file.seek(early)
        frames = begin - early + int(wanted * file.samplerate)
        return file.read(frames, dtype="float32", always_2d=True)[begin - early :]


@contextmanager
def _seekable(file: _File) -> Iterator[_File]:
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
