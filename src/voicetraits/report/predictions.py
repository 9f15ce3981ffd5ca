"""What a model has left behind: predictions, or why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import TEST, encode
from voicetraits.errors import InputError
from voicetraits.models import Model
from voicetraits.networks.model_folder import (
    PREDICTIONS,
    SIDECAR,
    USED,
    WITHOUT_FIGURES,
    read_sidecar,
)

# What is tried on the test part of every model: the network itself, and two baselines.
ESTIMATORS = ("network", "linear", "majority")


class StaleError(InputError):
    """A result that belongs to another state of the repository than the one that is here."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; delete {path.parent} and run `make repro`")


class Predictions(NamedTuple):
    """What one estimator makes of the test part of a model."""

    labels: np.ndarray  # (clips,), class numbers
    probabilities: np.ndarray  # (clips, classes)
    speakers: np.ndarray  # (clips,), hashes


def without_figures(model: Model, folder: Path) -> dict[str, str]:
    """The reason why a model has no figures, as `skipped` or `failed`; empty where it has.

    Args:
        model: As params.yaml declares it.
        folder: What the training stage wrote.

    Raises:
        StaleError: If it was trained as another model.
    """
    sidecar = read_sidecar(folder)
    found = sidecar["task"]["classes"], sidecar["representation"], sidecar["network"]
    declared = list(model.task.classes), model.representation, model.network
    if found != declared:
        raise StaleError(
            folder / SIDECAR, f"is {_words(*found)}, and params.yaml declares {_words(*declared)}"
        )
    return {status: sidecar[status] for status in WITHOUT_FIGURES if sidecar[status]}


def _words(classes: list[str], representation: str, network: str) -> str:
    return f"{network} on {representation}, for {', '.join(classes)}"


def read_predictions(model: Model, folder: Path) -> dict[str, Predictions]:
    """Predictions of every estimator by its name; none where the model has no figures.

    Args:
        model: As params.yaml declares it.
        folder: What the training stage wrote.

    Raises:
        StaleError: If they are not one probability for each class and test clip.
    """
    if without_figures(model, folder):
        return {}
    path = folder / PREDICTIONS
    table, used = pd.read_parquet(path), pd.read_parquet(folder / USED)
    columns = ["clip", "locale", "speaker", "label"]
    tested = used.loc[used["part"] == TEST, columns].to_numpy()
    found = {}
    for estimator in ESTIMATORS:
        rows = table[table["estimator"] == estimator]
        if not np.array_equal(rows[columns].to_numpy(), tested):
            raise StaleError(path, f"the clips of {estimator} are not those of the test part")
        probabilities = rows[list(model.task.classes)].to_numpy()
        if not (
            (probabilities >= 0).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
        ):
            raise StaleError(path, f"what {estimator} gives is no probability")
        labels = encode(rows["label"].to_numpy(), model.task)
        found[estimator] = Predictions(labels, probabilities, rows["speaker"].to_numpy())
    return found
