"""The cells that params.yaml declares, and what each has left: predictions, or why there are none.

Whatever else an earlier run left behind is not read.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import TEST, encode
from voicetraits.errors import InputError
from voicetraits.networks.model_folder import PREDICTIONS, SIDECAR, USED
from voicetraits.params import Params
from voicetraits.tasks import GENDER, Task, language

MODELS = ("cnn", "linear", "majority")
WITHOUT_FIGURES = ("skipped", "failed")  # ways in which a cell can end
Row = dict[str, Any]


@dataclass(frozen=True)
class Cell:
    """One cell of the experiment and where its results are.

    Attributes:
        task: The task.
        name: "es-features" for gender, "features" for language.
        locale: A locale, or "all" for language.
        representation: "features" or "spectrogram".
        folder: What the training stage wrote.
    """

    task: Task
    name: str
    locale: str
    representation: str
    folder: Path

    @property
    def without_figures(self) -> Row:
        """The reason why the cell has no figures, as `skipped` or `failed`; empty where it has.

        Raises:
            StaleError: If it was trained as another cell than params.yaml declares.
        """
        path = self.folder / SIDECAR
        sidecar = json.loads(path.read_text(encoding="utf-8"))
        classes, representation = sidecar["task"]["classes"], sidecar["representation"]
        if (tuple(classes), representation) != (self.task.classes, self.representation):
            raise StaleError(
                path,
                f"tells {', '.join(classes)} apart by the {representation}, and params.yaml "
                f"declares {', '.join(self.task.classes)} by the {self.representation}",
            )
        return {status: sidecar[status] for status in WITHOUT_FIGURES if sidecar[status]}

    @property
    def place(self) -> Row:
        """The columns that say which cell a row belongs to."""
        return {"cell": self.name, "locale": self.locale, "representation": self.representation}


class StaleError(InputError):
    """A result that belongs to another state of the repository than the one that is here."""

    def __init__(self, path: Path, why: str) -> None:
        super().__init__(f"{path}: {why}; delete {path.parent} and run `make repro`")


class Predictions(NamedTuple):
    """What one model makes of the test part of a cell."""

    labels: np.ndarray  # (clips,), class numbers
    probabilities: np.ndarray  # (clips, classes)
    speakers: np.ndarray  # (clips,), hashes


def declared_cells(params: Params, *, models: Path) -> list[Cell]:
    """The cells that params.yaml declares, in the order they are shown in."""
    cells = [
        Cell(GENDER, f"{locale}-{name}", locale, name, models / "gender" / f"{locale}-{name}")
        for locale in params.locales
        for name in params.representations
    ]
    task = language(params.locales)
    return cells + [
        Cell(task, name, "all", name, models / "language" / name) for name in params.representations
    ]


def read_predictions(cell: Cell) -> dict[str, Predictions]:
    """Predictions of every model of a cell by its name; none where the cell has no figures.

    Raises:
        StaleError: If they are not one probability for each class and test clip.
    """
    if cell.without_figures:
        return {}
    path = cell.folder / PREDICTIONS
    table, used = pd.read_parquet(path), pd.read_parquet(cell.folder / USED)
    columns = ["clip", "locale", "speaker", "label"]
    tested = used.loc[used["part"] == TEST, columns].to_numpy()
    found = {}
    for model in MODELS:
        rows = table[table["model"] == model]
        if not np.array_equal(rows[columns].to_numpy(), tested):
            raise StaleError(path, f"the clips of {model} are not those of the test part")
        probabilities = rows[list(cell.task.classes)].to_numpy()
        if not (
            (probabilities >= 0).all() and np.allclose(probabilities.sum(axis=1), 1, atol=1e-3)
        ):
            raise StaleError(path, f"what {model} gives is no probability")
        found[model] = Predictions(
            encode(rows["label"].to_numpy(), cell.task),
            probabilities,
            rows["speaker"].to_numpy(),
        )
    return found
