"""What the training of a model has made."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd


class Outcome(NamedTuple):
    """What the training of a model has made.

    Attributes:
        network: The trained keras.Model.
        shape: Of what it takes: (rows, frames), None where any number of frames will do.
        used: Rows of the split table that it was trained and tested on, part after part.
        probabilities: Estimator to class probabilities of the test part, shape (clips, classes),
            in the order of `used`.
    """

    network: Any
    shape: tuple[int | None, ...]
    used: pd.DataFrame
    probabilities: dict[str, np.ndarray]
