"""A network on clips of any length: trained on random crops, tested on the mean of several."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import (
    PARTS,
    TEST,
    TRAINING,
    UNLABELLED,
    VALIDATION,
    class_numbers,
)
from voicetraits.models import Model
from voicetraits.params import Params
from voicetraits.tasks import Task
from voicetraits.training.baselines import (
    linear_baseline,
    majority_baseline,
    mean_and_deviation_of_frames,
    pitch_baseline,
)
from voicetraits.training.crops import predict_clips
from voicetraits.training.outcome import Outcome, Tested
from voicetraits.training.sampling import groups_of, weights_of

# Column with the phones of every clip by number, from 1 on.
PHONES = "phones"


def train_on_frames(
    model: Model,
    clips: pd.DataFrame,
    folders: dict[str, Path],
    params: Params,
    *,
    seed: int,
    live_folder: Path,
) -> Outcome | str:
    """Train a network on frames of clips of any length; the same arguments as `train_on_arrays`.

    No clip is left out to balance the classes: each class is drawn equally often. If `clips` have
    a column PHONES, the network first learns these.

    Returns:
        What came of it; a text that says why there is none, if there are no phones to learn.

    Raises:
        NotFiniteError: If numbers that come out are none.
        InputError: If phones are to be learned by a network that cannot.
    """
    from voicetraits.training.fit_frames import fit_frames

    task, frames = model.task, params.frames
    order = np.concatenate([np.flatnonzero(clips["part"] == part) for part in PARTS])
    clips = clips.iloc[order].reset_index(drop=True)
    stored = StoredFrames(clips, folders, budget_gb=params.train.memory_budget_gb)
    labels = [class_numbers(clips, each) for each in task.tasks]
    places = {part: np.flatnonzero(clips["part"] == part) for part in PARTS}
    groups = groups_of(clips)
    begin = None
    if PHONES in clips:
        from voicetraits.training.phones import NoPhonesError, fit_phones

        try:
            begin = fit_phones(
                model.network,
                task,
                stored,
                list(clips[PHONES]),
                places,
                weights_of([groups[place] for place in places[TRAINING]]),
                frames,
                seed=seed,
                label=model.name,
                live_folder=live_folder,
            )
        except NoPhonesError as error:
            return str(error)
    network = fit_frames(
        model.network,
        task,
        stored,
        labels,
        places,
        groups,
        frames,
        seed=seed,
        label=model.name,
        live_folder=live_folder,
        begin=begin,
    )
    tested = []
    for part in (VALIDATION, TEST):
        found = predict_clips(
            network, stored, places[part], frames.shown, batch_size=frames.batch_size
        )
        for each, numbers, probabilities in zip(task.tasks, labels, found, strict=True):
            labelled = numbers[places[part]] != UNLABELLED
            rows = _labelled(clips, places[part][labelled], numbers, each)
            tested.append(Tested("network", each, rows, probabilities[labelled]))
    statistics = {
        part: mean_and_deviation_of_frames(stored, places[part]) for part in (TRAINING, TEST)
    }
    for each, numbers in zip(task.tasks, labels, strict=True):
        tested += _baselines(clips, each, numbers, places, statistics, seed=seed)
    return Outcome(network, (stored.bands, None), clips, tested)


def _labelled(
    clips: pd.DataFrame, places: np.ndarray, numbers: np.ndarray, task: Task
) -> pd.DataFrame:
    return clips.iloc[places].assign(label=[task.classes[n] for n in numbers[places]])


def _baselines(
    clips: pd.DataFrame,
    task: Task,
    numbers: np.ndarray,
    places: dict[str, np.ndarray],
    statistics: dict[str, np.ndarray],
    *,
    seed: int,
) -> list[Tested]:
    """What needs no network makes of the test part."""
    seen, asked = (numbers[places[part]] != UNLABELLED for part in (TRAINING, TEST))
    labels = numbers[places[TRAINING][seen]]
    rows = _labelled(clips, places[TEST][asked], numbers, task)
    linear = linear_baseline(statistics[TRAINING][seen], labels, statistics[TEST][asked], seed=seed)
    majority = majority_baseline(labels, len(rows), classes=len(task.classes))
    # Pitch is measured in the corpus that is tested on alone.
    own = clips["corpus"].eq("").to_numpy()[places[TRAINING][seen]]
    f0 = {part: clips["f0"].to_numpy()[places[part]] for part in (TRAINING, TEST)}
    pitch = pitch_baseline(
        f0[TRAINING][seen][own], labels[own], f0[TEST][asked], classes=len(task.classes)
    )
    return [
        Tested("linear", task, rows, linear),
        Tested("pitch", task, rows, pitch),
        Tested("majority", task, rows, majority),
    ]
