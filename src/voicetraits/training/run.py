"""One model, from the arrays of its clips to predictions."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.dataset.folds import FOLD
from voicetraits.dataset.split import why_not
from voicetraits.errors import NotFiniteError
from voicetraits.models import Model
from voicetraits.networks import ANY_LENGTH
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
from voicetraits.training.on_arrays import train_on_arrays
from voicetraits.training.on_frames import train_on_frames
from voicetraits.training.outcome import Outcome, Tested

_IDENTITY = ["clip", "locale", "speaker", "label"]


def train_model(
    model: Model, clips: pd.DataFrame, folders: dict[str, Path], params: Params, *, out: Path
) -> str:
    """Train a network and its baselines in every split, and score the test parts.

    Args:
        model: What to train.
        clips: Its split table, with the pitch of each clip as f0, in Hz. The first split is that of
            the network that is kept; of the others, only predictions are.
        folders: Folder of array shards by its `home`.
        params: The whole of params.yaml.
        out: Folder for weights, sidecar, predictions, the clips used, and dvclive's folder;
            replaced as a whole. A model that is skipped, for want of clips or speakers, or failed,
            as numbers came out that are none, leaves a sidecar that says so and nothing else.

    Returns:
        One line that says what was done.
    """
    of_any_length = model.network in ANY_LENGTH
    # Without a labelled clip there is one split, of none, which says why.
    splits = [table.drop(columns=FOLD) for _, table in clips.groupby(FOLD, sort=False)] or [clips]
    folds: list[Any] = list(clips[FOLD].drop_duplicates().itertuples(index=False)) or [("", 1)]
    sidecar: dict[str, Any] = {
        "task": asdict(model.task),
        "locale": model.locale,
        "representation": model.representation,
        "network": model.network,
        "shape": None,
        "members": params.frames.members if of_any_length else 1,
        "clip": params.clip.model_dump(),
        "extract": params.extract.model_dump(),
        "frames": params.frames.model_dump() if of_any_length else None,
        "seed": params.seed,
        "corpora": sorted(set(clips["corpus"])),
        "skipped": why_not(splits[0], model.task, params.split, by=params.protocol.split_by),
        "failed": "",
    }
    train = train_on_frames if of_any_length else train_on_arrays
    with fresh_folder(out) as folder:
        tables: list[pd.DataFrame] = []
        try:
            for (left_out, repeat), split in zip(folds, splits, strict=True):
                if sidecar["skipped"]:
                    break
                seed = params.seed + repeat - 1
                live = folder / (LIVE if not tables else f"{LIVE}-{left_out}-{repeat}")
                outcome = train(model, split, folders, params, seed=seed, live_folder=live)
                if isinstance(outcome, str):
                    sidecar["skipped"] = outcome if not tables else ""
                    continue
                if not tables:
                    _keep(folder, outcome)
                    sidecar["shape"] = outcome.shape
                tables.append(_predictions(outcome.tested).assign(left_out=left_out, repeat=repeat))
            if tables:
                write_table(folder / PREDICTIONS, pd.concat(tables, ignore_index=True))
        except NotFiniteError as error:
            sidecar["failed"] = str(error)
            shutil.rmtree(folder)
            folder.mkdir()
        write_sidecar(folder, sidecar)
    for status in WITHOUT_FIGURES:
        if sidecar[status]:
            return f"{model.name}: {status}: {sidecar[status]}"
    return f"{model.name}: trained and tested"


def _keep(folder: Path, outcome: Outcome) -> None:
    """Write the network, and the clips that it has seen."""
    outcome.network.save_weights(folder / WEIGHTS)
    columns = ["clip", "locale", "corpus", "speaker", "gender", "label", "part"]
    write_table(folder / USED, outcome.used[columns].reset_index(drop=True))


def _predictions(tested: list[Tested]) -> pd.DataFrame:
    """Predictions as one table: a row for each estimator, task and clip.

    Raises:
        NotFiniteError: If a prediction is infinite or no number.
    """
    tables = []
    for estimator, task, clips, probabilities in tested:
        if not np.isfinite(probabilities).all():
            raise NotFiniteError(f"predictions of the {estimator} model are not finite")
        rows = clips[["part", *_IDENTITY]].assign(task=task.name, estimator=estimator)
        rows[list(task.classes)] = probabilities
        tables.append(rows)
    return pd.concat(tables, ignore_index=True)
