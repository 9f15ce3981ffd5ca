"""What a model has left behind: predictions, or why there are none."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import TEST, VALIDATION, encode
from voicetraits.errors import InputError
from voicetraits.models import Model
from voicetraits.networks.model_folder import (
    PREDICTIONS,
    SIDECAR,
    USED,
    WITHOUT_FIGURES,
    read_sidecar,
)

# What is tried on the test part of every model: the network itself, and the baselines.
ESTIMATORS = ("network", "linear", "pitch", "majority")
_IDENTITY = ["clip", "locale", "speaker", "label"]


class StaleError(InputError):
    """A result that belongs to another state of the repository than the one that is here."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; delete {path.parent} and run `make repro`")


class Predictions(NamedTuple):
    """What one estimator makes of some clips."""

    labels: np.ndarray  # (clips,), class numbers
    probabilities: np.ndarray  # (clips, classes)
    speakers: np.ndarray  # (clips,), hashes


class Found(NamedTuple):
    """Predictions of one model in one kind of split, one after the other for its repeats.

    Attributes:
        test: Of the test part, by estimator.
        validation: Of the validation part, by the network.
    """

    test: dict[str, list[Predictions]]
    validation: list[Predictions]


def without_figures(model: Model, folder: Path) -> dict[str, str]:
    """The reason why a model has no figures, as `skipped` or `failed`; empty where it has.

    Args:
        model: As params.yaml declares it.
        folder: What the training stage wrote.

    Raises:
        StaleError: If it was trained as another model.
    """
    sidecar = read_sidecar(folder)
    tasks = sidecar["task"]["joined"] or [sidecar["task"]]
    classes = [name for t in tasks if t["name"] == model.task.name for name in t["classes"]]
    found = classes, sidecar["representation"], sidecar["network"]
    declared = list(model.task.classes), model.representation, model.network
    if found != declared:
        raise StaleError(
            folder / SIDECAR, f"is {_words(*found)}, and params.yaml declares {_words(*declared)}"
        )
    return {status: sidecar[status] for status in WITHOUT_FIGURES if sidecar[status]}


def _words(classes: list[str], representation: str, network: str) -> str:
    return f"{network} on {representation}, for {', '.join(classes)}"


def read_predictions(model: Model, folder: Path) -> dict[str, Found]:
    """Predictions by the source that was left out, "" for the split of speakers.

    Args:
        model: As params.yaml declares it, with one task; `without_figures` gave nothing for it.
        folder: What the training stage wrote.

    Raises:
        StaleError: If they are not one probability for each class and clip, or not of the same
            clips for every estimator.
    """
    path = folder / PREDICTIONS
    table = pd.read_parquet(path)
    table = table[table["task"] == model.task.name]
    used = pd.read_parquet(folder / USED)
    # Of the network that is kept. One that learns several tasks is asked each of them about the
    # clips that have a label of it.
    tested = used.loc[used["part"] == TEST, _IDENTITY] if not model.within else None
    return {
        str(left_out): _found(model, rows, path, tested=None if left_out else tested)
        for left_out, rows in table.groupby("left_out", sort=False)
    }


def _found(model: Model, table: pd.DataFrame, path: Path, *, tested: pd.DataFrame | None) -> Found:
    """Predictions of all repeats; the first has to be of these clips, where they are given."""
    found = Found({estimator: [] for estimator in ESTIMATORS}, [])
    for number, (_, rows) in enumerate(table.groupby("repeat", sort=True)):
        of_network = rows[rows["estimator"] == "network"]
        asked = of_network.loc[of_network["part"] == TEST, _IDENTITY]
        if tested is not None and not number:
            asked = tested
        found.validation.append(
            _predictions(model, of_network[of_network["part"] == VALIDATION], path)
        )
        for estimator, several in found.test.items():
            given = rows[(rows["estimator"] == estimator) & (rows["part"] == TEST)]
            if not np.array_equal(given[_IDENTITY].to_numpy(), asked.to_numpy()):
                raise StaleError(path, f"the clips of {estimator} are not those of the test part")
            several.append(_predictions(model, given, path))
    return found


def _predictions(model: Model, rows: pd.DataFrame, path: Path) -> Predictions:
    probabilities = rows[list(model.task.classes)].to_numpy()
    if not ((probabilities >= 0).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)):
        raise StaleError(path, f"what {rows['estimator'].iloc[0]} gives is no probability")
    labels = encode(rows["label"].to_numpy(), model.task)
    return Predictions(labels, probabilities, rows["speaker"].to_numpy())
