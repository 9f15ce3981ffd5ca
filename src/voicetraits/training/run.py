"""One model, from the arrays of its clips to predictions."""

from __future__ import annotations

import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import TEST
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
from voicetraits.training.outcome import Outcome


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
    sidecar: dict[str, Any] = {
        "task": asdict(model.task),
        "locale": model.locale,
        "representation": model.representation,
        "network": model.network,
        "shape": None,
        "clip": params.clip.model_dump(),
        "extract": params.extract.model_dump(),
        "seed": params.seed,
        "skipped": why_not(clips, model.task, params.split, by=params.protocol.split_by),
        "failed": "",
    }
    train = train_on_frames if model.network in ANY_LENGTH else train_on_arrays
    with fresh_folder(out) as folder:
        if not sidecar["skipped"]:
            try:
                outcome = train(model, clips, folders, params, live_folder=folder / LIVE)
                if isinstance(outcome, Outcome):
                    _write(folder, outcome, model)
                    sidecar["shape"] = outcome.shape
                else:
                    sidecar["skipped"] = outcome
            except NotFiniteError as error:
                sidecar["failed"] = str(error)
                shutil.rmtree(folder)
                folder.mkdir()
        write_sidecar(folder, sidecar)
    for status in WITHOUT_FIGURES:
        if sidecar[status]:
            return f"{model.name}: {status}: {sidecar[status]}"
    return f"{model.name}: trained and tested"


def _write(folder: Path, outcome: Outcome, model: Model) -> None:
    """Fill the folder of a model.

    Raises:
        NotFiniteError: If a prediction is infinite or no number.
    """
    for name, found in outcome.probabilities.items():
        if not np.isfinite(found).all():
            raise NotFiniteError(f"predictions of the {name} model are not finite")
    outcome.network.save_weights(folder / WEIGHTS)
    columns = ["clip", "locale", "speaker", "gender", "label", "part"]
    used = outcome.used[columns].reset_index(drop=True)
    write_table(folder / USED, used)
    test = used.loc[used["part"] == TEST, ["clip", "locale", "speaker", "label"]]
    tables = []
    for name, found in outcome.probabilities.items():
        rows = test.assign(estimator=name)
        rows[list(model.task.classes)] = found
        tables.append(rows)
    write_table(folder / PREDICTIONS, pd.concat(tables))
