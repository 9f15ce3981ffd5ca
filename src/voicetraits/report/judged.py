"""The stored predictions of a model, and what they say about its probabilities and its slices."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import TEST, VALIDATION, encode
from voicetraits.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
    reliability_rows,
    risk_coverage_rows,
    threshold_for,
)
from voicetraits.evaluation.slices import ATTRIBUTES, slice_records
from voicetraits.models import Model
from voicetraits.networks.model_folder import PREDICTIONS

Record = dict[str, Any]
# Share of the answers that may be wrong, for which a threshold is set on validation clips.
RISK = 0.05


class Part(NamedTuple):
    """What the network that is kept makes of one part of its split."""

    clips: pd.DataFrame  # clip, locale, speaker, label
    labels: np.ndarray  # (clips,), class numbers
    probabilities: np.ndarray  # (clips, classes)


def stored_parts(model: Model, folder: Path) -> tuple[Part, Part]:
    """The validation and the test part of the first split, which is that of the network kept.

    Args:
        model: With figures.
        folder: What the training stage wrote.
    """
    table = pd.read_parquet(folder / PREDICTIONS)
    ours = table[
        table["estimator"].eq("network")
        & table["task"].eq(model.task.name)
        & table["left_out"].eq("")
        & table["repeat"].eq(1)
    ]
    validation, test = (_part(model, ours[ours["part"].eq(part)]) for part in (VALIDATION, TEST))
    return validation, test


def _part(model: Model, rows: pd.DataFrame) -> Part:
    rows = rows.reset_index(drop=True)
    return Part(
        rows[["clip", "locale", "speaker", "label"]],
        encode(rows["label"].to_numpy(), model.task),
        rows[list(model.task.classes)].to_numpy(float),
    )


class Calibrated(NamedTuple):
    """Records of one model: one in all, and the rows of its two curves on the test part."""

    record: Record
    reliability: list[Record]
    risk_coverage: list[Record]


def calibrated(model: Model, validation: Part, test: Part) -> Calibrated:
    """How far the probabilities of a model can be trusted.

    Returns:
        In the record: the temperature and the threshold for RISK, both from the validation part;
        of the test part the calibration error and log loss (nats) before and after, and what
        share is answered at that threshold, and wrongly. None where no threshold will do.
    """
    voices = validation.clips["speaker"].nunique()
    temperature = fit_temperature(validation.labels, validation.probabilities, voices=voices)
    tuned, scaled = (
        apply_temperature(part.probabilities, temperature) for part in (validation, test)
    )
    threshold = threshold_for(validation.labels, tuned, risk=RISK)
    record: Record = {
        **model.columns,
        "temperature": temperature,
        "error": expected_calibration_error(test.labels, test.probabilities),
        "error_scaled": expected_calibration_error(test.labels, scaled),
        "loss": _loss(test.labels, test.probabilities),
        "loss_scaled": _loss(test.labels, scaled),
        "wanted_risk": RISK,
        "threshold": None if threshold is None else round(threshold, 4),
        **_at(threshold, test.labels, scaled),
        "validation_clips": len(validation.labels),
        "test_clips": len(test.labels),
    }
    kinds = {"as trained": test.probabilities, "with the temperature": scaled}
    return Calibrated(
        record,
        [
            {**model.columns, "probabilities": kind, **row}
            for kind, probabilities in kinds.items()
            for row in reliability_rows(test.labels, probabilities)
        ],
        [{**model.columns, **row} for row in risk_coverage_rows(test.labels, scaled)],
    )


def _loss(labels: np.ndarray, probabilities: np.ndarray) -> float:
    likelihood = np.clip(probabilities[np.arange(len(labels)), labels], 1e-7, 1)
    return round(float(-np.log(likelihood).mean()), 4)


def _at(threshold: float | None, labels: np.ndarray, probabilities: np.ndarray) -> Record:
    """Share of clips that are answered at a threshold, and share of those answers wrong."""
    answered = probabilities.max(axis=1) >= (np.inf if threshold is None else threshold)
    wrong = probabilities.argmax(axis=1)[answered] != labels[answered]
    risk = round(float(wrong.mean()), 4) if answered.any() else None
    return {"coverage": round(float(answered.mean()), 4), "risk": risk}


def sliced(model: Model, test: Part, index: pd.DataFrame, *, seed: int) -> list[Record]:
    """Balanced accuracy of a model by what is known of its test clips.

    Args:
        model: The model.
        test: Its test part.
        index: Of the same clips in the same order, with any of ATTRIBUTES.
        seed: Draws the speakers of the intervals.
    """
    chance = round(1 / len(model.task.classes), 4)
    records = slice_records(
        test.labels,
        test.probabilities.argmax(axis=1),
        test.clips["speaker"].to_numpy(),
        index[[name for name in ATTRIBUTES if name in index]],
        model.task,
        seed=seed,
    )
    return [{**model.columns, **record, "chance": chance} for record in records]
