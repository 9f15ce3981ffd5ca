"""Where in a recording somebody speaks, found by the network of silero-vad."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from voicetraits.errors import InputError
from voicetraits.export.contract import SAMPLE_RATE
from voicetraits.recognizer.runtime import session
from voicetraits.recognizer.timbre import changes

LEAST_SPEECH = 0.3  # seconds; less is a click or a note that sounds like a voice for a moment
# Scattered moments in a long recording are notes of music: somebody who speaks does so for a tenth
# of it, or half a second on end.
_LEAST_SHARE, _LEAST_UNBROKEN = 0.1, 0.5

_NETWORK = "silero_vad/data/silero_vad_16k_sequence.onnx"
_FRAME, _BEFORE = 512, 64  # samples: what a frame adds, and what it sees of the one before
_STATE = (1, 1, 128)
_SPEECH = 0.5  # the probability from which a frame is speech
_MARGIN = 0.1  # seconds kept around speech: soft consonants begin and end it
# The network takes pulsing notes for speech at some levels, and misses faint voices. Neither
# happens where each block is brought to one level.
_BLOCK = 30 * SAMPLE_RATE // _FRAME  # frames
_LEVEL = 0.1
_FAINTEST = 1e-5
_LEVEL_FRAME = SAMPLE_RATE // 50
_LOUDEST = 15  # frames of 20 ms that may be louder than what counts, so that a click does not


class Part(NamedTuple):
    """A stretch of a recording, in samples from its start."""

    start: int
    end: int


class Speech(NamedTuple):
    """The speech of a recording.

    Attributes:
        parts: Where it is, in order, with a little of what lies around it.
        spoken: For each frame of 32 ms, whether it is speech; shape (frames,).
    """

    parts: tuple[Part, ...]
    spoken: np.ndarray

    @property
    def seconds(self) -> float:
        """How long somebody speaks."""
        return float(self.spoken.sum()) * _FRAME / SAMPLE_RATE

    @property
    def enough(self) -> bool:
        """Whether there is enough of it to be sure that it is speech."""
        often = self.spoken.mean() >= _LEAST_SHARE if len(self.spoken) else False
        return self.seconds >= LEAST_SPEECH and (often or self._unbroken >= _LEAST_UNBROKEN)

    @property
    def _unbroken(self) -> float:
        """Seconds of the longest speech on end."""
        lengths = np.diff(_runs(self.spoken), axis=1)
        return float(lengths.max(initial=0)) * _FRAME / SAMPLE_RATE

    def between(self, start: int, end: int) -> Speech:
        """The speech of a stretch of the recording, which is given in samples."""
        parts = (Part(max(part.start, start), min(part.end, end)) for part in self.parts)
        # A frame belongs to the stretch that its first sample lies in.
        spoken = self.spoken[-(-start // _FRAME) : -(-end // _FRAME)]
        return Speech(tuple(part for part in parts if part.start < part.end), spoken)


def find_speech(samples: np.ndarray) -> Speech:
    """Find the speech in a recording.

    Args:
        samples: Mono at 16 kHz, shape (n,), float32, finite, at any level.

    Raises:
        InputError: If silero-vad is not installed.
    """
    spoken = speech_probabilities(samples) >= _SPEECH
    for start in range(0, len(spoken), _BLOCK):
        block = spoken[start : start + _BLOCK]
        middles = (start + np.flatnonzero(block)) * _FRAME + _FRAME // 2
        block &= changes(samples, middles)
    margin = round(_MARGIN * SAMPLE_RATE)
    parts: list[Part] = []
    for start, end in (_runs(spoken) * _FRAME).tolist():
        part = Part(max(0, start - margin), min(len(samples), end + margin))
        if parts and part.start <= parts[-1].end:
            part = Part(parts.pop().start, part.end)
        parts.append(part)
    return Speech(tuple(parts), spoken)


def _runs(spoken: np.ndarray) -> np.ndarray:
    """Where speech goes on without a break: first frame and the one after, shape (runs, 2)."""
    return np.flatnonzero(np.diff(spoken, prepend=False, append=False)).reshape(-1, 2)


def speech_probabilities(samples: np.ndarray) -> np.ndarray:
    """Probability of speech in each frame of 32 ms, shape (n,) -> (frames,)."""
    network = _network()
    memory, cell = np.zeros(_STATE, np.float32), np.zeros(_STATE, np.float32)
    found = [np.empty(0, np.float32)]
    for frames in _blocks(samples):
        inputs = {"input": frames, "h": memory, "c": cell}
        chances, memory, cell = network.run(["speech_probs", "hn", "cn"], inputs)
        found.append(chances)
    return np.concatenate(found)


def _blocks(samples: np.ndarray) -> Iterator[np.ndarray]:
    """Frames of half a minute at a time, shape (frames, 576), at one level."""
    size = _BLOCK * _FRAME
    for start in range(0, len(samples), size):
        block = samples[start : start + size]
        level = max(_level(block), _FAINTEST)
        # A faint voice on a constant would vanish in it; half a minute has no other mean.
        constant = block.mean(dtype=np.float64)
        before = samples[max(0, start - _BEFORE) : start]
        rest = -len(block) % _FRAME
        centred = np.concatenate([before, block]) - constant
        padded = np.pad(centred, (_BEFORE - len(before), rest))
        frames = np.lib.stride_tricks.sliding_window_view(padded, _FRAME + _BEFORE)[::_FRAME]
        yield np.multiply(frames, _LEVEL / level, dtype=np.float32)


def _level(block: np.ndarray) -> float:
    """The standard deviation that only a few frames of a block exceed."""
    size = min(_LEVEL_FRAME, len(block))
    frames = len(block) // size
    levels = np.sort(block[: frames * size].reshape(frames, size).std(axis=1))
    return float(levels[-1 - min(_LOUDEST, frames // 4)])


@cache
def _network() -> Any:
    return session(_network_file().read_bytes())


def _network_file() -> Path:
    """The file in the installed package, which is not imported: its code wants torch."""
    try:
        path = Path(str(distribution("silero-vad").locate_file(_NETWORK)))
    except PackageNotFoundError:
        path = Path(_NETWORK)
    if not path.is_file():
        raise InputError(
            "silero-vad, which finds speech, is not installed; "
            "python -m pip install --no-deps 'silero-vad>=6.2'"
        )
    return path
