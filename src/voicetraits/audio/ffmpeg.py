"""What phones, browsers and messengers record, decoded by FFmpeg in this process (PyAV)."""

from __future__ import annotations

import io
import math
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from itertools import chain, islice
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from av.audio.frame import AudioFrame
    from av.container import InputContainer

# The formats in which sound is recorded or kept, by FFmpeg's names. Others, such as playlists,
# scripts and subtitles, would have it open further files or addresses, or take text for sound.
_FORMATS = (
    "aac,ac3,aiff,amr,ape,asf,au,avi,caf,dts,eac3,flac,flv,loas,matroska,mov,mp3,mpc,mpc8,mpeg,"
    "mpegts,ogg,rm,tta,voc,w64,wav,wv"
)
_OPTIONS = {"format_whitelist": _FORMATS, "protocol_whitelist": "none"}
# Rate and channels are those of most of the first frames: one may be damaged, and AAC may say
# only in its second frame that it has twice the rate.
_FIRST_FRAMES = 5
# PyAV reads beyond the end of a frame's list of planes, and crashes, where it has as many.
_MANY_PLANES = 8
_SKIPPED = 2**16  # samples that are decoded at a time on the way to a later one
QUIETEST = 2**-15  # the smallest step of 16-bit WAV; what moves by less is silent


class FfmpegError(Exception):
    """FFmpeg cannot read a file; the message says why where it knows."""


class FfmpegFile:
    """An audio stream of a file, read from front to back as `soundfile.SoundFile` has it.

    It is the best, as FFmpeg judges, or, where that is silent, another in which something is heard:
    a recorder of the screen may keep the microphone apart from the sounds of the machine. Damaged
    frames are left out, and so are frames of another rate; the rest is read.

    Attributes:
        samplerate: In Hz.
        channels: Number of channels.
    """

    def __init__(self, data: bytes, *, stream: int | None = None) -> None:
        """Open a file and decode its first frames.

        Args:
            data: The file's bytes, in any format of a recorder, whatever its name is.
            stream: Which of its audio streams, the best first; by default, one that is heard.

        Raises:
            FfmpegError: If it is in no such format, or has no audio stream or no samples.
        """
        self._data = data
        self._container = _opened(data)
        try:
            streams = len(_audio_streams(self._container))
            self._number = _heard(data, streams) if stream is None else stream
            self._begin()
        except BaseException:
            self.close()
            raise

    def _begin(self) -> None:
        self._stream = _audio_streams(self._container)[self._number]
        self._packets = self._container.demux(self._stream)
        self._reached: int | None = None  # ticks of the stream, where the packets up to now end
        self._decoded = 0  # samples
        frames = self._frames()
        first = list(islice(frames, _FIRST_FRAMES))
        if not first:
            raise FfmpegError("no samples")
        shapes = Counter((frame.sample_rate, frame.layout.nb_channels) for frame in first)
        self.samplerate, self.channels = shapes.most_common(1)[0][0]
        self._blocks = (
            _samples(frame, self.channels) for frame in chain(first, frames) if self._belongs(frame)
        )
        self._kept = np.empty((0, self.channels), dtype=np.float32)  # decoded and not read

    def _demuxed(self) -> Iterator[Any]:
        """The packets that are left. A file that is cut off ends with them."""
        import av

        try:
            for packet in self._packets:
                if packet.pts is not None:
                    self._reached = packet.pts + (packet.duration or 0)
                yield packet
        except IndexError:
            pass  # PyAV at the end of a file in which further streams have turned up
        except av.FFmpegError as error:
            _raise_if_of_memory(error)

    def _frames(self) -> Iterator[AudioFrame]:
        import av

        for packet in self._demuxed():
            try:
                for frame in packet.decode():
                    if frame.samples:
                        self._decoded += frame.samples
                        yield frame
            except av.FFmpegError as error:
                _raise_if_of_memory(error)

    def _belongs(self, frame: AudioFrame) -> bool:
        """Whether a frame is of the stream as it began; none else has another rate."""
        count = frame.layout.nb_channels
        known = count == self.channels or count < _MANY_PLANES
        return known and frame.sample_rate == self.samplerate

    def read(self, frames: int, *, dtype: str = "float32", always_2d: bool = True) -> np.ndarray:
        """The next samples, shape (samples, channels), float32, 1 at full scale; fewer at the end.

        Args:
            frames: How many; -1 for all.
            dtype: float32.
            always_2d: True, as for soundfile.
        """
        wanted = math.inf if frames < 0 else frames
        parts, held = [self._kept], len(self._kept)
        while held < wanted and (block := next(self._blocks, None)) is not None:
            parts.append(block)
            held += len(block)
        samples = np.concatenate(parts)
        # A copy, as the rest of a long first read would hold all of it in memory.
        self._kept = samples[int(min(wanted, held)) :].copy()
        return samples[: int(min(wanted, held))]

    def seek(self, frames: int) -> int:
        """Go to a sample, by decoding from the start: no format's leaps are exact to the sample."""
        self.close()
        self._container = _opened(self._data)
        self._begin()
        left = frames
        while left and len(skipped := self.read(min(left, _SKIPPED))):
            left -= len(skipped)
        return frames - left

    def seekable(self) -> bool:
        """True."""
        return True

    @property
    def frames(self) -> float:
        """Samples of the whole file, as the times of its packets tell; NaN where they do not.

        Nothing can be read after it.
        """
        before = self._reached
        for _ in self._demuxed():
            pass
        tick = self._stream.time_base
        if before is None or self._reached is None or self._reached < before or not tick:
            return math.nan
        return self._decoded + round((self._reached - before) * tick * self.samplerate)

    def close(self) -> None:
        """Free what FFmpeg holds."""
        self._container.close()

    def __enter__(self) -> FfmpegFile:
        """The file itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()


def _of_titles(version: str) -> dict[str, Any]:
    """What PyAV has to be told lest a title that is not UTF-8 costs the sound.

    From 19 on, which is for Python 3.12 and later, it needs and knows no such argument.
    """
    return {"metadata_errors": "ignore"} if int(version.partition(".")[0]) < 19 else {}


def _opened(data: bytes) -> InputContainer:
    import av  # here, as most files need only libsndfile

    try:
        return av.open(io.BytesIO(data), "r", options=_OPTIONS, **_of_titles(av.__version__))
    except av.FFmpegError as error:
        _raise_if_of_memory(error)
        raise FfmpegError from error


def _audio_streams(container: InputContainer) -> list[Any]:
    """The audio streams that FFmpeg can decode, the best first, as it judges."""
    streams = container.streams
    if not streams.audio:
        raise FfmpegError("no audio stream")
    best = streams.best("audio")
    found = [each for each in streams.audio if each.codec_context is not None]
    if not found:
        raise FfmpegError("an audio codec that FFmpeg does not know, or an encrypted recording")
    for stream in found:
        stream.codec_context.thread_count = 1  # several clips are decoded at a time instead
    return sorted(found, key=lambda stream: stream is not best and stream != best)


def _heard(data: bytes, streams: int) -> int:
    """The first of so many audio streams that is not silent, or the first of all."""
    for number in range(streams if streams > 1 else 0):
        with suppress(FfmpegError), FfmpegFile(data, stream=number) as file:
            while len(block := file.read(_SKIPPED)):
                if float(np.ptp(block)) >= QUIETEST:
                    return number
    return 0


def _raise_if_of_memory(error: Exception) -> None:
    """Other errors of FFmpeg's are of the clip, though some of them are OSError by class."""
    if isinstance(error, MemoryError):
        raise MemoryError from error


def _samples(frame: AudioFrame, channels: int) -> np.ndarray:
    """Samples of a frame, shape (samples, channels), float32, 1 at full scale."""
    found = frame.layout.nb_channels
    if frame.format.is_planar and found >= _MANY_PLANES:
        frame = _interleaved(frame)
    values = frame.to_ndarray()
    values = values.T if frame.format.is_planar else values.reshape(-1, found)
    if values.dtype.kind == "u":  # 8 bits, with silence at 128
        values = (values.astype(np.float32) - 128) / 128
    elif values.dtype.kind == "i":
        values = values.astype(np.float32) / 2.0 ** (8 * values.dtype.itemsize - 1)
    else:
        with np.errstate(over="ignore"):  # of damaged float64; infinite numbers are refused later
            values = values.astype(np.float32, copy=False)
    if found != channels:  # where it changes, each channel gets the mean of those that are there
        values = np.repeat(values.mean(axis=1, keepdims=True), channels, axis=1)
    return values


def _interleaved(frame: AudioFrame) -> AudioFrame:
    import av

    return av.AudioResampler(format=frame.format.packed).resample(frame)[0]
