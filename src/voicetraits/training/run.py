"""One cell of the experiment: a task on one representation, from arrays to predictions."""

from __future__ import annotations

import json
import shutil
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pandas as pd

from voicetraits.dataset.arrays import StoredClips, not_finite, read_clips_arrays
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, encode, prepare
from voicetraits.dataset.split import why_not
from voicetraits.dataset.undersampling import choose
from voicetraits.errors import NotFiniteError
from voicetraits.networks.model_folder import LIVE, PREDICTIONS, SCALER, SIDECAR, USED, WEIGHTS
from voicetraits.params import Params, Representation
from voicetraits.storage.files import fresh_folder
from voicetraits.storage.shards import write_array, write_table
from voicetraits.tasks import Task
from voicetraits.training.baselines import linear_baseline, majority_baseline


def run_cell(
    task: Task,
    clips: pd.DataFrame,
    folders: dict[str, Path],
    params: Params,
    *,
    representation: Representation,
    label: str,
    out: Path,
) -> str:
    """Train a CNN and both baselines, and score the test part with all three.

    Args:
        task: The task.
        clips: Its split table.
        folders: Locale to the folder of its array shards.
        params: The whole of params.yaml.
        representation: Written to the sidecar.
        label: Name of the cell, for progress lines.
        out: Folder for weights, scaler, sidecar, predictions, the clips used, and dvclive's
            folder; replaced as a whole. A cell that is skipped, for want of clips or speakers, or
            failed, as numbers came out that are none, leaves a sidecar that says so and nothing
            else.

    Returns:
        One line that says what was done.
    """
    sidecar = {
        "task": asdict(task),
        "representation": representation,
        "clip": params.clip.model_dump(),
        "extract": params.extract.model_dump(),
        "seed": params.seed,
        "skipped": why_not(clips, task, params.split, by=params.protocol.split_by),
        "failed": "",
    }
    with fresh_folder(out) as folder:
        if not sidecar["skipped"]:
            try:
                sidecar["skipped"] = _train(
                    task, clips, folders, params, label=label, folder=folder
                )
            except NotFiniteError as error:
                sidecar["failed"] = str(error)
                shutil.rmtree(folder)
                folder.mkdir()
        text = json.dumps(sidecar, indent=2, ensure_ascii=False) + "\n"
        (folder / SIDECAR).write_text(text, encoding="utf-8")
    for status in ("skipped", "failed"):
        if sidecar[status]:
            return f"{label}: {status}: {sidecar[status]}"
    return f"{label}: trained and tested"


def _train(
    task: Task,
    clips: pd.DataFrame,
    folders: dict[str, Path],
    params: Params,
    *,
    label: str,
    folder: Path,
) -> str:
    """Fill the folder of a cell; return why it cannot be, or nothing.

    Raises:
        NotFiniteError: If numbers that go in or come out are none.
    """
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
        seed=params.seed,
    )
    if lacking := why_not(clips.iloc[kept], task, params.split, by=params.protocol.split_by):
        return f"undersampling leaves {lacking}"
    # Imported here: a skipped cell need not wait for Keras. After one-sided selection: from the
    # import on, the process keeps the memory that it frees, and the two would add up.
    from voicetraits.training.fit import fit, predict

    clips = clips.iloc[kept]
    arrays = read_clips_arrays(clips, folders, budget_gb=params.train.memory_budget_gb)
    parts, scaler = prepare(clips, arrays, task, params.protocol)
    training, test = parts[TRAINING], parts[TEST]
    seen = {name: parts[name] for name in (TRAINING, VALIDATION)}
    model = fit(task, seen, params.train, seed=params.seed, label=label, live_folder=folder / LIVE)
    model.save_weights(folder / WEIGHTS)
    write_array(folder / SCALER, np.stack([scaler.scale, scaler.offset]))

    probabilities = {
        "cnn": predict(model, test.inputs, batch_size=params.train.batch_size),
        "linear": linear_baseline(training.raw, training.labels, test.raw, seed=params.seed),
        "majority": majority_baseline(before, len(test.labels), classes=len(task.classes)),
    }
    for name, found in probabilities.items():
        if not np.isfinite(found).all():
            raise NotFiniteError(f"predictions of the {name} model are not finite")
    write_table(
        folder / PREDICTIONS,
        pd.concat([_rows(test.clips, name, found, task) for name, found in probabilities.items()]),
    )
    used = pd.concat([part.clips for part in parts.values()])
    write_table(folder / USED, used[["clip", "locale", "speaker", "gender", "label", "part"]])
    return ""


def _rows(clips: pd.DataFrame, model: str, probabilities: np.ndarray, task: Task) -> pd.DataFrame:
    rows = clips[["clip", "locale", "speaker", "label"]].assign(model=model)
    for number, name in enumerate(task.classes):
        rows[name] = probabilities[:, number]
    return rows
