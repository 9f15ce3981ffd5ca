"""One model, from the arrays of its clips to predictions."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.dataset.arrays import StoredClips, not_finite, read_clips_arrays
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, Part, encode, prepare
from voicetraits.dataset.split import why_not
from voicetraits.dataset.undersampling import choose
from voicetraits.errors import NotFiniteError
from voicetraits.models import Model
from voicetraits.networks.model_folder import (
    LIVE,
    PREDICTIONS,
    USED,
    WEIGHTS,
    WITHOUT_FIGURES,
    write_sidecar,
)
from voicetraits.params import Params
from voicetraits.storage.files import fresh_folder
from voicetraits.storage.shards import write_table
from voicetraits.tasks import Task
from voicetraits.training.baselines import linear_baseline, majority_baseline


def train_model(
    model: Model, clips: pd.DataFrame, folders: dict[str, Path], params: Params, *, out: Path
) -> str:
    """Train a network and both baselines, and score the test part with all three.

    Args:
        model: What to train.
        clips: Its split table.
        folders: Locale to the folder of its array shards.
        params: The whole of params.yaml.
        out: Folder for weights, sidecar, predictions, the clips used, and dvclive's folder;
            replaced as a whole. A model that is skipped, for want of clips or speakers, or failed,
            as numbers came out that are none, leaves a sidecar that says so and nothing else.

    Returns:
        One line that says what was done.
    """
    stored = StoredClips(clips, folders) if len(clips) else None
    sidecar = {
        "task": asdict(model.task),
        "locale": model.locale,
        "representation": model.representation,
        "network": model.network,
        "shape": stored.shape[1:] if stored else None,
        "clip": params.clip.model_dump(),
        "extract": params.extract.model_dump(),
        "seed": params.seed,
        "skipped": why_not(clips, model.task, params.split, by=params.protocol.split_by),
        "failed": "",
    }
    with fresh_folder(out) as folder:
        if stored and not sidecar["skipped"]:
            try:
                sidecar["skipped"] = _train(model, clips, stored, folders, params, folder=folder)
            except NotFiniteError as error:
                sidecar["failed"] = str(error)
                shutil.rmtree(folder)
                folder.mkdir()
        write_sidecar(folder, sidecar)
    for status in WITHOUT_FIGURES:
        if sidecar[status]:
            return f"{model.name}: {status}: {sidecar[status]}"
    return f"{model.name}: trained and tested"


def _train(
    model: Model,
    clips: pd.DataFrame,
    stored: StoredClips,
    folders: dict[str, Path],
    params: Params,
    *,
    folder: Path,
) -> str:
    """Fill the folder of a model; return why it cannot be, or nothing.

    Raises:
        NotFiniteError: If numbers that go in or come out are none.
    """
    task = model.task
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
        seed=params.seed,
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
        seed=params.seed,
        label=model.name,
        live_folder=folder / LIVE,
    )
    network.save_weights(folder / WEIGHTS)
    probabilities = {
        "network": predict(network, test.arrays, batch_size=params.train.batch_size),
        "linear": linear_baseline(training.arrays, training.labels, test.arrays, seed=params.seed),
        "majority": majority_baseline(before, len(test.labels), classes=len(task.classes)),
    }
    for name, found in probabilities.items():
        if not np.isfinite(found).all():
            raise NotFiniteError(f"predictions of the {name} model are not finite")
    _write_predictions(folder / PREDICTIONS, test, probabilities, task)
    used = pd.concat([part.clips for part in parts.values()])
    write_table(folder / USED, used[["clip", "locale", "speaker", "gender", "label", "part"]])
    return ""


def _write_predictions(
    path: Path, test: Part, probabilities: dict[str, np.ndarray], task: Task
) -> None:
    """Write a row per estimator and test clip: whose it is, its label, a column per class."""
    tables = []
    for name, found in probabilities.items():
        rows = test.clips[["clip", "locale", "speaker", "label"]].assign(estimator=name)
        rows[list(task.classes)] = found
        tables.append(rows)
    write_table(path, pd.concat(tables))
