"""A network on clips of one length: undersampled, scaled, trained with early stopping."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from voicetraits.dataset.arrays import StoredClips, not_finite, read_clips_arrays
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, encode, prepare
from voicetraits.dataset.split import why_not
from voicetraits.dataset.undersampling import choose
from voicetraits.errors import NotFiniteError
from voicetraits.models import Model
from voicetraits.params import Params
from voicetraits.training.baselines import (
    linear_baseline,
    majority_baseline,
    mean_and_deviation,
    pitch_baseline,
)
from voicetraits.training.outcome import Outcome, Tested


def train_on_arrays(
    model: Model,
    clips: pd.DataFrame,
    folders: dict[str, Path],
    params: Params,
    *,
    seed: int,
    live_folder: Path,
) -> Outcome | str:
    """Train a network on arrays of one length, in one split.

    Args:
        model: What to train.
        clips: One split.
        folders: Folder of array shards by its `home`.
        params: The whole of params.yaml.
        seed: Of undersampling, initial weights and batches.
        live_folder: dvclive's folder.

    Returns:
        What it made, or why it cannot be.

    Raises:
        NotFiniteError: If numbers that go in or come out are none.
    """
    task, batch_size = model.task, params.train.batch_size
    stored = StoredClips(clips, folders)
    if len(broken := not_finite(stored)):
        raise NotFiniteError(
            f"{len(broken)} of {len(clips)} clips have arrays with numbers that are not finite, "
            f"the first in {stored.where(broken[0])}"
        )
    before = encode(clips.loc[clips["part"] == TRAINING, "label"].to_numpy(), task)
    kept = choose(
        clips,
        stored,
        task,
        params.protocol,
        selection_clips=params.train.selection_clips,
        seed=seed,
    )
    if lacking := why_not(clips.iloc[kept], task, params.split, by=params.protocol.split_by):
        return f"undersampling leaves {lacking}"
    # Imported here: a skipped model need not wait for Keras. After one-sided selection: from the
    # import on, the process keeps the memory that it frees, and the two would add up.
    from voicetraits.training.fit import fit, predict

    clips = clips.iloc[kept]
    arrays = read_clips_arrays(clips, folders, budget_gb=params.train.memory_budget_gb)
    parts, scaling = prepare(clips, arrays, task, params.protocol)
    training, test = parts[TRAINING], parts[TEST]
    seen = {name: parts[name] for name in (TRAINING, VALIDATION)}
    network = fit(
        model.network,
        task,
        seen,
        scaling,
        params.train,
        seed=seed,
        label=model.name,
        live_folder=live_folder,
    )
    statistics = [mean_and_deviation(part.arrays) for part in (training, test)]
    linear = linear_baseline(statistics[0], training.labels, statistics[1], seed=seed)
    # Pitch is measured in the corpus that is tested on alone.
    own = training.clips["corpus"].eq("").to_numpy()
    pitch = pitch_baseline(
        training.clips["f0"].to_numpy()[own],
        training.labels[own],
        test.clips["f0"].to_numpy(),
        classes=len(task.classes),
    )
    majority = majority_baseline(before, len(test.labels), classes=len(task.classes))
    found = {
        name: predict(network, parts[name].arrays, batch_size=batch_size)
        for name in (VALIDATION, TEST)
    }
    return Outcome(
        network,
        arrays.shape[1:],
        pd.concat([part.clips for part in parts.values()]),
        [
            *(Tested("network", task, parts[name].clips, found[name]) for name in found),
            Tested("linear", task, test.clips, linear),
            Tested("pitch", task, test.clips, pitch),
            Tested("majority", task, test.clips, majority),
        ],
    )
