"""The representations that networks learn from, by name."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from voicetraits.features.short_term import short_term_features
from voicetraits.features.spectrogram import log_mel

# Each takes a mono signal, shape (samples,), and its sample rate in Hz, and by keyword the window
# and the hop in samples; it gives an array of shape (68, frames).
REPRESENTATIONS: dict[str, Callable[..., np.ndarray]] = {
    "features": short_term_features,
    "spectrogram": log_mel,
}
