"""The representations that networks learn from, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from voicetraits.features.mel import log_mel_frames
from voicetraits.features.short_term import short_term_features
from voicetraits.features.spectrogram import log_mel


class Representation(NamedTuple):
    """One way to see a clip.

    Attributes:
        function: Takes a mono signal, shape (samples,), int16, and its sample rate in Hz; gives an
            array of shape (rows, frames). That of a representation of one length is given the
            signal with silence appended, or cut, and by keyword window and hop in samples.
        one_length: Whether all clips have as many frames.
    """

    function: Callable[..., np.ndarray]
    one_length: bool


REPRESENTATIONS = {
    "features": Representation(short_term_features, one_length=True),
    "spectrogram": Representation(log_mel, one_length=True),
    "mel": Representation(log_mel_frames, one_length=False),
}
