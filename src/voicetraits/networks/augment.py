"""Random changes to log-mel inside the compiled training step: rooms, noise, filters, masks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from voicetraits.networks.backend import keras

# Draws a number from the first to below the second for every clip, shape (clips, 1, 1).
Draw = Callable[[float, float], Any]

# Rooms: the time until the echo has fallen by 60 dB, in frames of 10 ms, and the level of all of
# the echo beside the direct sound, in nats.
_REVERBERATION_TIMES = (15.0, 80.0)
_ECHO_LEVELS = (-2.5, 1.5)
_NATS_OF_60_DB = 13.8
# How far the sum of an echo reaches, doubled in each step: 128 frames later, the longest has fallen
# by 96 dB.
_SPANS_OF_ECHO = (1, 2, 4, 8, 16, 32, 64)
_NONE = 1e-9  # keeps the logarithm of the first frame's echo finite
# Noise: its level under the mean of a band, its rise or fall from the lowest band to the highest,
# and the deviation of its cells, as a band of a few bins has it. All in nats.
_NOISE_LEVELS = (-5.0, 0.0)
_NOISE_SLOPES = (-3.0, 3.0)
_NOISE_DEVIATION = 0.7
# Filters: where the band ends, as a share of all bands, and how many bands the edge takes. With 64
# mel bands from 50 to 7,600 Hz, the upper ends lie between 2.2 and 7.6 kHz, the lower ones between
# 50 and 380 Hz.
_UPPER_ENDS = (0.55, 1.0)
_LOWER_ENDS = (0.0, 0.15)
_EDGE_BANDS = 1.5
_NUMBERS = 10  # that a room, noise and the two filters draw for a clip
# Masks: the widest, as a share of all frames or bands.
_WIDEST_TIME, _WIDEST_FREQUENCY = 0.15, 0.15


class Augmentation(keras.layers.Layer):
    """Change clips at random while a network trains, and never when it predicts.

    (clips, bands, frames) -> the same shape. Each part has one number, and 0 leaves it out. The
    input is log-mel in nats, each band's mean over the clip subtracted: 0 is what a band holds on
    average, and what a filter or a mask leaves. To train with it, put it before the network:
    `keras.Sequential([Augmentation(...), network])`; the network alone is then saved.

    Source: Park et al., SpecAugment, Interspeech 2019 (the masks).

    Args:
        seed: Of all draws.
        room: Chance of a clip to sound in a room, with an echo that dies away.
        noise: Chance of a clip to get noise, white or coloured.
        low_pass: Chance to lose the upper bands.
        high_pass: Chance to lose the lowest bands.
        time_masks: Spans of frames that are masked in every clip.
        frequency_masks: Spans of bands that are masked in every clip.
    """

    def __init__(
        self,
        *,
        seed: int,
        room: float = 0,
        noise: float = 0,
        low_pass: float = 0,
        high_pass: float = 0,
        time_masks: int = 0,
        frequency_masks: int = 0,
    ) -> None:
        super().__init__()
        self.room, self.noise = room, noise
        self.low_pass, self.high_pass = low_pass, high_pass
        self.time_masks, self.frequency_masks = time_masks, frequency_masks
        self.seeds = keras.random.SeedGenerator(seed)

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Change every clip by draws of its own."""
        if not training:
            return inputs
        x, draw = inputs, self._drawing(inputs.shape[0])
        if self.room:
            x = keras.ops.where(draw(0, 1) < self.room, _in_a_room(x, draw), x)
        if self.noise:
            x = keras.ops.where(draw(0, 1) < self.noise, self._noisy(x, draw), x)
        if self.low_pass:
            kept = _share_kept(_bands(x) - draw(*_UPPER_ENDS), x)
            x = x * keras.ops.where(draw(0, 1) < self.low_pass, kept, 1.0)
        if self.high_pass:
            kept = _share_kept(draw(*_LOWER_ENDS) - _bands(x), x)
            x = x * keras.ops.where(draw(0, 1) < self.high_pass, kept, 1.0)
        for _ in range(self.time_masks):
            x = keras.ops.where(_span(_places(x, axis=2), _WIDEST_TIME, draw), 0.0, x)
        for _ in range(self.frequency_masks):
            x = keras.ops.where(_span(_bands(x), _WIDEST_FREQUENCY, draw), 0.0, x)
        return x

    def compute_output_shape(self, input_shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        """The shape of the input."""
        return input_shape

    def _drawing(self, clips: int) -> Draw:
        """What draws the numbers of a step.

        They all come from one call, because XLA takes long to compile each.
        """
        masks = self.time_masks + self.frequency_masks
        numbers = keras.random.uniform((_NUMBERS + 2 * masks, clips, 1, 1), seed=self.seeds)
        left = iter(range(len(numbers)))
        return lambda low, high: low + (high - low) * numbers[next(left)]

    def _noisy(self, x: Any, draw: Draw) -> Any:
        """Every clip with noise of its own, and the mean of each band as before."""
        level = draw(*_NOISE_LEVELS)
        slope = draw(*_NOISE_SLOPES) * (_bands(x) - 0.5)
        cells = keras.random.normal(x.shape, stddev=_NOISE_DEVIATION, seed=self.seeds)
        return _recentred(keras.ops.logaddexp(x, level + slope + cells), x)


def _in_a_room(x: Any, draw: Draw) -> Any:
    """Every clip in a room of its own: what a frame holds fades in those after it.

    Power adds up, as if the phases were random (Lebart, Boucher and Denbigh, Acta Acustica 2001,
    model the late echo so). A band's mean is a factor, which changes nothing.
    """
    kept = keras.ops.exp(-_NATS_OF_60_DB / draw(*_REVERBERATION_TIMES))
    level = keras.ops.exp(draw(*_ECHO_LEVELS))
    # Of what came before each frame, faded: of one frame, then of twice as many in each step. A
    # matrix product would give other bits on another processor.
    reach = 2 * _SPANS_OF_ECHO[-1]
    echo = keras.ops.pad(keras.ops.exp(x), ((0, 0), (0, 0), (reach, 0)))[:, :, :-1]
    for frames in _SPANS_OF_ECHO:
        echo = echo[:, :, frames:] + kept**frames * echo[:, :, :-frames]
    echo = keras.ops.log(level * (1 - kept) * echo + _NONE)
    return _recentred(keras.ops.logaddexp(x, echo), x)


def _span(places: Any, widest: float, draw: Draw) -> Any:
    """Whether places in (0, 1) lie in a span that is drawn for each clip."""
    width = draw(0.0, widest)
    start = draw(0.0, 1.0) * (1 - width)
    return keras.ops.logical_and(places >= start, places < start + width)


def _recentred(found: Any, x: Any) -> Any:
    """What was found, with the mean of each band of x."""
    return found + keras.ops.mean(x - found, axis=2, keepdims=True)


def _bands(x: Any) -> Any:
    """Places of the bands in (0, 1), lowest first: shape (1, bands, 1)."""
    return _places(x, axis=1)


def _places(x: Any, *, axis: int) -> Any:
    """Places of the middles along an axis in (0, 1), ready to meet x."""
    shape = [1, 1, 1]
    shape[axis] = size = x.shape[axis]
    return keras.ops.reshape((keras.ops.arange(size, dtype=x.dtype) + 0.5) / size, shape)


def _share_kept(beyond: Any, x: Any) -> Any:
    """What a filter keeps of bands that lie so far beyond its end: 1 inside, 0 far outside."""
    return keras.ops.sigmoid(-beyond * (x.shape[1] / _EDGE_BANDS))
