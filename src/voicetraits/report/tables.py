"""Gather what all models and locales have left into the tables that DVC shows and compares."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from voicetraits.corpus.labels import GENDERS
from voicetraits.dataset.parts import TRAINING, VALIDATION
from voicetraits.evaluation.metrics import confusion, roc_points
from voicetraits.models import Model
from voicetraits.networks.model_folder import LIVE
from voicetraits.report.predictions import Predictions
from voicetraits.tasks import Task

Row = dict[str, Any]


def corpus_rows(
    locale: str, clips: pd.DataFrame, index: pd.DataFrame, excluded: pd.DataFrame
) -> list[Row]:
    """What became of every row of a locale's table.

    Args:
        locale: Of the tables.
        clips: Clip table.
        index: Index of the converted clips.
        excluded: Clips excluded by `convert`.

    Returns:
        Rows of locale, outcome ("converted" or "excluded"), stage (that converted or excluded
        them), reason and clips; the clips add up to the rows of the table. Clips converted as they
        are have no reason.

    Raises:
        ValueError: If they do not: a clip was lost.
    """
    notes = index.loc[index["note"] != "", "note"]
    as_they_are = len(index) - len(notes)
    rows = [_corpus_row(locale, "converted", "convert", "", as_they_are)]
    by_select = clips.loc[clips["excluded"] != "", "excluded"]
    for outcome, stage, reasons in (
        ("converted", "convert", notes),
        ("excluded", "convert", excluded["reason"]),
        ("excluded", "select", by_select),
    ):
        for reason, count in sorted(reasons.value_counts().items()):
            rows.append(_corpus_row(locale, outcome, stage, str(reason), int(count)))
    if sum(row["clips"] for row in rows) != len(clips):
        raise ValueError(f"{locale}: {len(clips)} clips listed, but accounted for are {rows}")
    return rows


def _corpus_row(locale: str, outcome: str, stage: str, reason: str, clips: int) -> Row:
    return {"locale": locale, "outcome": outcome, "stage": stage, "reason": reason, "clips": clips}


def label_rows(locale: str, clips: pd.DataFrame) -> list[Row]:
    """Selected clips and their speakers by gender, as rows; "unlabelled" where it is blank."""
    selected = clips[clips["excluded"] == ""]
    label = selected["gender"].replace("", "unlabelled")
    counts = selected.groupby(label)["speaker"].agg(clips="size", speakers="nunique")
    return [
        {"locale": locale, "label": name, **{key: int(counts.loc[name, key]) for key in counts}}
        for name in (*GENDERS, "unlabelled")
        if name in counts.index
    ]


def history_rows(model: Model, folder: Path) -> list[Row]:
    """Loss and accuracy of every epoch of a trained model, training and validation, as rows."""
    rows: list[Row] = []
    for part in (TRAINING, VALIDATION):
        live = folder / LIVE / "plots" / "metrics" / part
        loss, accuracy = (
            pd.read_csv(live / f"{name}.tsv", sep="\t")[name].round(4).tolist()
            for name in ("loss", "accuracy")
        )
        for epoch, (nats, share) in enumerate(zip(loss, accuracy, strict=True), start=1):
            row = {**model.columns, "epoch": epoch, "part": part}
            rows.append({**row, "loss": nats, "accuracy": share})
    return rows


def roc_rows(model: Model, predictions: Mapping[str, Predictions]) -> list[Row]:
    """ROC curves of network and logistic regression, as rows; none unless there are two classes."""
    if len(model.task.classes) != 2:
        return []
    return [
        {**model.columns, "estimator": estimator, **point}
        for estimator in ("network", "linear")
        for point in roc_points(
            predictions[estimator].labels, predictions[estimator].probabilities[:, 1]
        )
    ]


def confusion_rows(model: Model, predictions: Mapping[str, Predictions]) -> list[Row]:
    """Confusion matrix of the network of a trained model, as rows."""
    network = predictions["network"]
    matrix = confusion(network.labels, network.probabilities.argmax(axis=1), model.task)
    return [{**model.columns, **row} for row in matrix]


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
