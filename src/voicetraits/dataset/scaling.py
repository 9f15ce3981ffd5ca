"""Min-max scaling of clips, fitted for the first layer of a network."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from voicetraits.dataset.arrays import Arrays, chunks


class Scaling(NamedTuple):
    """Minimum and scale of every value of a clip: scaled = (value - low) * scale.

    Attributes:
        low: Shape (68, frames), float32.
        scale: The same; 1 where all clips have one value.
    """

    low: np.ndarray
    scale: np.ndarray


def fit_scaling(arrays: Arrays) -> Scaling:
    """Fit on clips of shape (clips, 68, frames) so that every value lies in [0, 1]."""
    from sklearn.preprocessing import MinMaxScaler

    fitted = MinMaxScaler()
    for _, some in chunks(arrays):
        fitted.partial_fit(some.reshape(len(some), -1))
    found = (fitted.data_min_, fitted.scale_)
    return Scaling(*(each.astype(np.float32).reshape(arrays.shape[1:]) for each in found))
