"""Min-max scaling of clips."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from voicetraits.dataset.arrays import Arrays, chunks


@dataclass(frozen=True)
class Scaler:
    """Min-max scaling of every one of the 68 x frames cells, as fitted by scikit-learn.

    Attributes:
        scale: Shape (68 * frames,), float32.
        offset: Shape (68 * frames,), float32: scaled = cell * scale + offset.
    """

    scale: np.ndarray
    offset: np.ndarray

    @classmethod
    def fit(cls, arrays: Arrays) -> Scaler:
        """Fit on clips of shape (clips, 68, frames) so that every cell lies in [0, 1]."""
        from sklearn.preprocessing import MinMaxScaler

        fitted = MinMaxScaler()
        for _, some in chunks(arrays):
            fitted.partial_fit(some.reshape(len(some), -1))
        return cls(fitted.scale_.astype(np.float32), fitted.min_.astype(np.float32))

    def transform(self, arrays: np.ndarray) -> np.ndarray:
        """Scale clips (clips, 68, frames) for the network: (clips, 68, frames, 1), float32."""
        flat = arrays.reshape(len(arrays), -1) * self.scale + self.offset
        return flat.reshape(*arrays.shape, 1)


class Scaled:
    """Clips as the network takes them, scaled when they are asked for.

    Args:
        arrays: Unscaled clips, shape (clips, 68, frames).
        scaler: What scales them.
    """

    def __init__(self, arrays: Arrays, scaler: Scaler) -> None:
        self._arrays, self._scaler = arrays, scaler
        self.shape = (*arrays.shape, 1)

    def __len__(self) -> int:
        """Number of clips."""
        return len(self._arrays)

    def __getitem__(self, places: np.ndarray | slice) -> np.ndarray:
        """The clips at these places, shape (places, 68, frames, 1)."""
        return self._scaler.transform(self._arrays[places])
