"""What of a recording is heard: one channel where several cancel, and the part with the sound."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Protocol

import numpy as np

# Notes on a clip of which not simply the start and the mean of the channels was taken.
ONE_CHANNEL = "one channel of an out-of-phase recording"
CUT_LATER = "cut from where the sound begins"

_FRAME = 0.02  # seconds
_LEAD = 0.1  # seconds that are kept before the sound
# Of the power that the channels would have together if they were independent: less is left of
# those that cancel.
_CANCELLED = 0.25
# Sound stands above the background, the level that a fifth of the first part stays below, by so
# much, and is at most so much fainter than the loudest of the recording.
_ABOVE_BACKGROUND = 2.0
_BELOW_LOUDEST = 0.1
_LOUDEST = 0.3  # seconds together that reach the loudest level, so that a click does not set it
_PLAIN = 0.01  # of full scale; a first part with sound at this level needs no look at the rest
_FAINTEST = 2**-16  # half of the smallest step of 16-bit WAV
# A part with less sound than this share of its length holds nearly nothing.
_NEARLY_NOTHING = 0.15
# Sound begins where at least half of this many seconds are sound: longer than a click.
_SUSTAINED = 0.2
_BLOCK = 10.0  # seconds that are looked through at a time
FARTHEST = 3600.0  # seconds that are looked through at most


class Recording(Protocol):
    """An open audio file, as soundfile has it."""

    samplerate: int

    def read(self, frames: int, *, dtype: str, always_2d: bool) -> np.ndarray:
        """The next samples, shape (samples, channels)."""

    def seek(self, frames: int) -> int:
        """Go to a sample."""


def mix(channels: np.ndarray, rate: int, *, deciding: int) -> tuple[np.ndarray, bool]:
    """Bring several channels to one: their mean, or the loudest where they cancel in the mean.

    They do where most of their power lies in stretches of which the mean leaves next to nothing.
    One channel that sounds alone does not cancel: the mean only has it fainter.

    Args:
        channels: Finite, shape (samples, channels), float32.
        rate: In Hz.
        deciding: Look at no more than so many samples from the start on.

    Returns:
        Shape (samples,), float32, and whether it is the loudest channel.
    """
    count = channels.shape[1]
    if count == 1:
        # The mean over one channel is that channel, and would take as long as its decoding does.
        return channels[:, 0], False
    mean = channels.mean(axis=1, dtype=np.float32)
    power = levels(channels[:deciding], rate) ** 2
    together = power.sum(axis=1)
    left = levels(mean[:deciding, None], rate)[:, 0] ** 2 * count**2
    lost = together[left < _CANCELLED * together].sum()
    if lost > together.sum() / 2:
        return channels[:, power.sum(axis=0).argmax()], True
    return mean, False


def levels(channels: np.ndarray, rate: int, *, every: int = 1) -> np.ndarray:
    """Standard deviation of frames of 20 ms, (samples, channels) -> (frames, channels).

    A constant level is none. What does not fill the last frame is left out, unless it is the only
    one.

    Args:
        channels: At least one sample.
        rate: In Hz.
        every: Look at one frame in so many.
    """
    size = min(_frame_samples(rate), len(channels))
    step = min(size * every, len(channels))
    frames = len(channels) // step
    return channels[: frames * step].reshape(frames, step, -1)[:, :size].std(axis=1)


def _frame_samples(rate: int) -> int:
    return round(_FRAME * rate)


def plainly_sounds(channels: np.ndarray, rate: int) -> bool:
    """Whether the first part of a recording holds sound, whatever the rest may hold.

    Args:
        channels: Finite, shape (samples, channels).
        rate: In Hz.
    """
    # A quarter of the frames tells enough, and costs little of what decoding does.
    found = levels(channels, rate, every=4).max(axis=1)
    sound = found > max(_ABOVE_BACKGROUND * _background(found), _PLAIN)
    return bool(sound.mean() >= _NEARLY_NOTHING)


def _background(first: np.ndarray) -> float:
    return float(np.quantile(first, 0.2))


def where_sound_begins(recording: Recording, *, seconds: float) -> int | None:
    """Find the sound that a recording has after a first part with nearly none.

    The recording is read in blocks, and no farther than up to where a part with sound ends.

    Args:
        recording: At its start.
        seconds: Length of the part that will be cut.

    Returns:
        The sample to cut from, shortly before the sound; none where the first part holds as much
        as others do.
    """
    rate = recording.samplerate
    length = max(1, round(seconds / _FRAME))
    found = np.empty(0, dtype=np.float32)
    begin = None
    for more in _levels_by_block(recording):
        found = np.concatenate([found, more])
        begin = _first_sound(found, length, least=_NEARLY_NOTHING * length)
        if begin is not None and begin + length <= len(found):
            break
    else:
        begin = _first_sound(found, length, least=1)
    return None if begin is None else max(0, begin * _frame_samples(rate) - round(_LEAD * rate))


def _levels_by_block(recording: Recording) -> Iterator[np.ndarray]:
    """Levels of the loudest channel, shape (frames,); 0 where samples are not numbers."""
    rate = recording.samplerate
    size = _frame_samples(rate) * round(_BLOCK / _FRAME)
    for _ in range(round(FARTHEST / _BLOCK)):
        block = recording.read(size, dtype="float32", always_2d=True)
        if len(block):
            with np.errstate(invalid="ignore", over="ignore"):
                yield np.nan_to_num(levels(block, rate).max(axis=1), posinf=0.0)
        if len(block) < size:
            return


def _first_sound(found: np.ndarray, length: int, *, least: float) -> int | None:
    """The frame at which the first part begins that holds at least half of what any part does.

    Args:
        found: Levels of all frames, shape (frames,).
        length: Frames of a part.
        least: Frames with sound that one part has, at least, to be looked at.

    Returns:
        None where the first part itself is as good.
    """
    loudest = np.sort(found)[-min(len(found), round(_LOUDEST / _FRAME))]
    background = _background(found[:length])
    faintest = max(_ABOVE_BACKGROUND * background, _BELOW_LOUDEST * loudest, _FAINTEST)
    sound = found > faintest
    held = _following(sound, length)
    most = held.max()
    if most < least or held[0] >= min(most / 2, _NEARLY_NOTHING * length):
        return None
    close = round(_SUSTAINED / _FRAME)
    begins = sound & (_following(sound, close) >= close / 2) & (held >= most / 2)
    return int(begins.argmax()) if begins.any() else None


def _following(sound: np.ndarray, length: int) -> np.ndarray:
    """How many of so many frames, from each one on, are sound."""
    before = np.concatenate([[0], np.cumsum(sound)])
    ends = np.minimum(np.arange(len(sound)) + length, len(sound))
    return before[ends] - before[:-1]
