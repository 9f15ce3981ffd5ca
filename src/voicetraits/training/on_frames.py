"""A network on clips of any length: trained on random crops, tested on the mean of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import PARTS, TEST, TRAINING, encode
from voicetraits.models import Model
from voicetraits.params import Params
from voicetraits.training.baselines import (
    linear_baseline,
    majority_baseline,
    mean_and_deviation_of_frames,
)
from voicetraits.training.outcome import Outcome


def train_on_frames(
    model: Model,
    clips: pd.DataFrame,
    folders: dict[str, Path],
    params: Params,
    *,
    live_folder: Path,
) -> Outcome:
    """Train a network on frames of clips of any length; the same arguments as `train_model`.

    No clip is left out to balance the classes: each class is drawn equally often.

    Raises:
        NotFiniteError: If numbers that come out are none.
    """
    from voicetraits.training.crops import SpreadCrops
    from voicetraits.training.fit import predict
    from voicetraits.training.fit_frames import fit_frames

    task, frames = model.task, params.frames
    order = np.concatenate([np.flatnonzero(clips["part"] == part) for part in PARTS])
    clips = clips.iloc[order].reset_index(drop=True)
    stored = StoredFrames(clips, folders, budget_gb=params.train.memory_budget_gb)
    labels = encode(clips["label"].to_numpy(), task)
    places = {part: np.flatnonzero(clips["part"] == part) for part in PARTS}
    groups = list(zip(clips["locale"], clips["gender"], strict=True))
    network = fit_frames(
        model.network,
        task,
        stored,
        labels,
        places,
        groups,
        frames,
        seed=params.seed,
        label=model.name,
        live_folder=live_folder,
    )
    crops = SpreadCrops(stored, places[TEST], frames=frames.crop, crops=frames.crops)
    found = predict(network, crops, batch_size=frames.batch_size)
    statistics = {
        part: mean_and_deviation_of_frames(stored, places[part]) for part in (TRAINING, TEST)
    }
    probabilities = {
        "network": crops.mean_by_clip(found),
        "linear": linear_baseline(
            statistics[TRAINING], labels[places[TRAINING]], statistics[TEST], seed=params.seed
        ),
        "majority": majority_baseline(
            labels[places[TRAINING]], len(places[TEST]), classes=len(task.classes)
        ),
    }
    return Outcome(network, (stored.bands, None), clips, probabilities)
