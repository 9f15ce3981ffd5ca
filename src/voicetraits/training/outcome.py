"""What the training of a model has made."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from voicetraits.tasks import Task


class Tested(NamedTuple):
    """What one estimator makes of some clips.

    Attributes:
        estimator: Its name: "network", or a baseline.
        task: What it was asked.
        clips: Rows of the split table, with the class as `label`.
        probabilities: Shape (clips, classes).
    """

    estimator: str
    task: Task
    clips: pd.DataFrame
    probabilities: np.ndarray


class Outcome(NamedTuple):
    """What the training of a model has made.

    Attributes:
        network: The trained keras.Model.
        shape: Of what it takes: (rows, frames), None where any number of frames will do.
        used: Rows of the split table that it was trained and tested on, part after part.
        tested: What network and baselines make of the test part, and the network also of the
            validation part.
    """

    network: Any
    shape: tuple[int | None, ...]
    used: pd.DataFrame
    tested: list[Tested]
