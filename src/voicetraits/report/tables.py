"""Gather every cell's predictions and epochs into the tables that DVC shows and compares."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from voicetraits.corpus.clips import GENDERS
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.evaluation.intervals import (
    balanced_accuracy_interval,
    speakers_by_class,
    too_few_speakers,
)
from voicetraits.evaluation.metrics import collapsed, confusion, figures, roc_points
from voicetraits.networks.model_folder import LIVE
from voicetraits.report.models import MODELS, WITHOUT_FIGURES, Cell, Predictions, Row
from voicetraits.tasks import Task

# In the headline, whose names are the columns of `dvc exp show`: it must fit into a terminal.
_SHORT = {"features": "feat", "spectrogram": "spec"}


def cell_metrics(
    cell: Cell, predictions: Mapping[str, Predictions], *, seed: int
) -> dict[str, Row]:
    """Metrics of the CNN and both baselines on the cell's test part.

    Args:
        cell: The cell.
        predictions: What `read_predictions` gave for it.
        seed: Draws the speakers of the interval.

    Returns:
        Model name to its metrics. `low` and `high` bound the balanced accuracy with 95 %
        confidence; `clips`, `speakers` and `speakers_by_class` count the test part; `collapsed` is
        1 for a model that gives one class for everything. A cell without figures has the reason in
        place of metrics, as `skipped` or `failed`.
    """
    if reason := cell.without_figures:
        return dict.fromkeys(MODELS, reason)
    found: dict[str, Row] = {}
    for model, (labels, probabilities, speakers) in predictions.items():
        metrics: Row = dict(figures(labels, probabilities, cell.task))
        metrics["low"], metrics["high"] = balanced_accuracy_interval(
            labels, probabilities.argmax(axis=1), speakers, cell.task, seed=seed
        )
        metrics["clips"], metrics["speakers"] = len(labels), len(np.unique(speakers))
        metrics["speakers_by_class"] = speakers_by_class(labels, speakers, cell.task)
        metrics["collapsed"] = int(collapsed(probabilities))
        found[model] = metrics
    return found


def headline(metrics: Mapping[Cell, dict[str, Row]], corpus: list[Row]) -> Row:
    """The few numbers that one line of `dvc exp show` has room for.

    Args:
        metrics: Every declared cell with what `cell_metrics` gave.
        corpus: What `corpus_rows` gave for all locales.

    Returns:
        Balanced accuracy of the CNNs by task and representation, the mean over the trained cells,
        and counts of cells and clips.
    """
    found: dict[str, dict[str, list[float]]] = {}
    cnns = {cell: models["cnn"] for cell, models in metrics.items()}
    for cell, cnn in cnns.items():
        if "balanced_accuracy" in cnn:
            short = _SHORT[cell.representation]
            values = found.setdefault(cell.task.name, {}).setdefault(short, [])
            values.append(cnn["balanced_accuracy"])
    summary: Row = {
        task: {name: round(float(np.mean(values)), 4) for name, values in means.items()}
        for task, means in found.items()
    }
    summary["cells"] = {
        "trained": sum("balanced_accuracy" in cnn for cnn in cnns.values()),
        **{status: sum(status in cnn for cnn in cnns.values()) for status in WITHOUT_FIGURES},
        "collapsed": sum(cnn.get("collapsed", 0) for cnn in cnns.values()),
    }
    summary["clips"] = {
        outcome.replace(" ", "_"): sum(row["clips"] for row in corpus if row["outcome"] == outcome)
        for outcome in ("excluded", "put aside", "converted")
    }
    return summary


def corpus_rows(
    locale: str, clips: pd.DataFrame, index: pd.DataFrame, aside: pd.DataFrame
) -> list[Row]:
    """What became of every row of a locale's validated.tsv.

    Args:
        locale: Of the tables.
        clips: Clip table.
        index: Index of the converted clips.
        aside: Clips put aside by `convert`.

    Returns:
        Rows of locale, outcome ("converted", "put aside" or "excluded"), reason and clips; the
        clips add up to the rows of validated.tsv. Clips converted as they are have no reason.

    Raises:
        ValueError: If they do not: a clip was lost.
    """
    notes = index.loc[index["note"] != "", "note"]
    as_they_are = len(index) - len(notes)
    rows: list[Row] = [
        {"locale": locale, "outcome": "converted", "reason": "", "clips": as_they_are}
    ]
    excluded = clips.loc[clips["excluded"] != "", "excluded"]
    outcomes = (("converted", notes), ("put aside", aside["reason"]), ("excluded", excluded))
    for outcome, reasons in outcomes:
        for reason, count in sorted(reasons.value_counts().items()):
            rows.append(
                {"locale": locale, "outcome": outcome, "reason": reason, "clips": int(count)}
            )
    if sum(row["clips"] for row in rows) != len(clips):
        raise ValueError(f"{locale}: {len(clips)} clips listed, but accounted for are {rows}")
    for row in rows:
        row["what"] = f"{locale}: {row['outcome']}" + (
            f", {row['reason']}" if row["reason"] else ""
        )
    return rows


def history_rows(cell: Cell) -> list[Row]:
    """Loss and accuracy of every epoch, training and validation, as rows."""
    rows: list[Row] = []
    for part in (TRAINING, VALIDATION):
        folder = cell.folder / LIVE / "plots" / "metrics" / part
        loss, accuracy = (
            pd.read_csv(folder / f"{name}.tsv", sep="\t")[name].round(4).tolist()
            for name in ("loss", "accuracy")
        )
        for epoch, (nats, share) in enumerate(zip(loss, accuracy, strict=True), start=1):
            place = {**cell.place, "epoch": epoch, "part": part}
            rows.append({**place, "loss": nats, "accuracy": share})
    return rows


def roc_rows(cell: Cell, predictions: Mapping[str, Predictions]) -> list[Row]:
    """ROC curves of the CNN and of the linear baseline of a trained cell, as rows."""
    return [
        {**cell.place, "model": model, **point}
        for model in ("cnn", "linear")
        for point in roc_points(predictions[model].labels, predictions[model].probabilities[:, 1])
    ]


def confusion_rows(cell: Cell, predictions: Mapping[str, Predictions]) -> list[Row]:
    """Confusion matrix of the CNN of a trained cell, as rows."""
    cnn = predictions["cnn"]
    matrix = confusion(cnn.labels, cnn.probabilities.argmax(axis=1), cell.task)
    return [{**cell.place, **row} for row in matrix]


def result_rows(cell: Cell, metrics: dict[str, Row]) -> list[Row]:
    """Balanced accuracy of every model of a cell, as the results picture wants it."""
    place = {"task": cell.task.name, "cell": cell.name}
    for status, reason in cell.without_figures.items():
        return [{**place, "model": "cnn", "status": status, "reason": reason}]
    return [
        {
            **place,
            "model": model,
            "value": found["balanced_accuracy"],
            "low": found["low"],
            "high": found["high"],
            "status": "ok",
            "reason": too_few_speakers(found["speakers_by_class"], cell.task),
        }
        for model, found in metrics.items()
    ]


def undersampling_table(
    split: pd.DataFrame, used: pd.DataFrame, task: Task, *, undersample: str
) -> pd.DataFrame:
    """Clips and speakers of every class that undersampling was given, and those that it kept.

    Args:
        split: Split table of the model.
        used: The clips that it was trained and tested on.
        task: The task, for the order of its classes.
        undersample: Of the protocol: "training" where undersampling was given that part alone.

    Returns:
        Columns class, stage ("before" or "after"), clips, speakers; behind class also locale or
        gender ("unlabelled" where blank), where one of them tells clips of a class apart.
    """
    by_class = split.groupby("label")
    beside = [name for name in ("locale", "gender") if by_class[name].nunique().gt(1).any()]
    keys = ["class", *beside[:1]]
    counted = []
    for stage, table in (("before", split), ("after", used)):
        given = table if undersample == "everything" else table[table["part"] == TRAINING]
        gender = given["gender"].replace("", "unlabelled")
        in_order = {
            "class": pd.Categorical(given["label"], task.classes),
            "locale": pd.Categorical(given["locale"], split["locale"].unique()),
            "gender": pd.Categorical(gender, [*GENDERS, "unlabelled"]),
        }
        groups = given.assign(**in_order).groupby(keys, observed=True)["speaker"]
        counts = groups.agg(clips="size", speakers="nunique").reset_index()
        counts.insert(len(keys), "stage", stage)
        counted.append(counts.astype(dict.fromkeys(keys, str)))
    return pd.concat(counted, ignore_index=True)
