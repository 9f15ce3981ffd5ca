"""Results of all models as one long list of records, and everything that is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.errors import InputError
from voicetraits.evaluation.intervals import (
    balanced_accuracy_interval,
    speakers_by_class,
    too_few_speakers,
)
from voicetraits.evaluation.metrics import collapsed, figures
from voicetraits.models import Model
from voicetraits.networks.model_folder import WITHOUT_FIGURES
from voicetraits.report.predictions import Predictions

Record = dict[str, Any]
_HEADER = """\
| task | locale | representation | network | balanced accuracy (95 % interval) | first metric \
| logistic regression | majority class |
|---|---|---|---|---|---|---|---|"""


def records(
    model: Model, predictions: Mapping[str, Predictions], reason: Mapping[str, str], *, seed: int
) -> list[Record]:
    """Results of one model, one record per estimator, metric and class.

    Args:
        model: The model.
        predictions: What `read_predictions` gave for it.
        reason: What `without_figures` gave for it.
        seed: Draws the speakers of the interval.

    Returns:
        Records with the same keys each, as DVC wants them: the model's columns, estimator, metric,
        class ("" for all), value, low and high (the 95 % interval of a balanced accuracy, else
        None), chance (the balanced accuracy of guessing) and note (why a balanced accuracy says
        little). A model without figures has one record with `skipped` or `failed` as metric, and
        the reason as note.
    """
    if reason:
        return [
            {**model.columns, "estimator": "network", **_row(model, status, 1, note=why)}
            for status, why in reason.items()
        ]
    return [
        {**model.columns, "estimator": estimator, **row}
        for estimator, found in predictions.items()
        for row in _rows(model, found, seed=seed)
    ]


def _rows(model: Model, found: Predictions, *, seed: int) -> Iterable[Record]:
    labels, probabilities, speakers = found
    counts = speakers_by_class(labels, speakers, model.task)
    low, high = balanced_accuracy_interval(
        labels, probabilities.argmax(axis=1), speakers, model.task, seed=seed
    )
    note = too_few_speakers(counts, model.task)
    for name, of_class, value in figures(labels, probabilities, model.task):
        if name == "balanced_accuracy":
            yield _row(model, name, value, of_class, low=low, high=high, note=note)
        else:
            yield _row(model, name, value, of_class)
    yield _row(model, "clips", len(labels))
    yield _row(model, "speakers", len(np.unique(speakers)))
    for name, count in counts.items():
        yield _row(model, "speakers", count, name)
    yield _row(model, "collapsed", int(collapsed(probabilities)))


def _row(
    model: Model,
    metric: str,
    value: float,
    of_class: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
) -> Record:
    chance = round(1 / len(model.task.classes), 4)
    row: Record = {"metric": metric, "class": of_class, "value": value}
    return {**row, "low": low, "high": high, "chance": chance, "note": note}


def nested(results: Iterable[Record]) -> dict[str, Any]:
    """The same as DVC shows and compares it: model, estimator, metric (with its class) to value."""
    found: dict[str, Any] = {}
    for record in results:
        of_model = found.setdefault(record["model"], {})
        if record["metric"] in WITHOUT_FIGURES:
            of_model[record["metric"]] = record["note"]
            continue
        values = of_model.setdefault(record["estimator"], {})
        name = "_".join(filter(None, (record["metric"], record["class"])))
        values[name] = record["value"]
        values.update({key: record[key] for key in ("low", "high") if record[key] is not None})
    return found


def headline(results: list[Record], corpus: list[Record]) -> Record:
    """The few numbers that one line of `dvc exp show` has room for.

    Args:
        results: Records of all models.
        corpus: What `corpus_rows` gave for all locales.

    Returns:
        Mean balanced accuracy of the networks by task, network and representation, and counts of
        models and clips.
    """
    networks = [record for record in results if record["estimator"] == "network"]
    means: dict[str, dict[str, list[float]]] = {}
    for record in networks:
        if record["metric"] == "balanced_accuracy":
            name = f"{record['network']}_{record['representation']}"
            means.setdefault(record["task"], {}).setdefault(name, []).append(record["value"])
    summary: Record = {
        task: {name: round(float(np.mean(values)), 4) for name, values in of_task.items()}
        for task, of_task in means.items()
    }
    summary["models"] = {
        "trained": sum(record["metric"] == "balanced_accuracy" for record in networks),
        **{name: sum(r["metric"] == name for r in networks) for name in WITHOUT_FIGURES},
        "collapsed": sum(r["value"] for r in networks if r["metric"] == "collapsed"),
    }
    summary["clips"] = {
        outcome: sum(row["clips"] for row in corpus if row["outcome"] == outcome)
        for outcome in ("excluded", "converted")
    }
    return summary


def picture_rows(results: Iterable[Record]) -> pd.DataFrame:
    """Balanced accuracies as the picture of the results wants them."""
    rows = []
    for record in results:
        if record["metric"] in WITHOUT_FIGURES:
            rows.append({**record, "value": None, "status": record["metric"]})
        elif record["metric"] == "balanced_accuracy":
            rows.append({**record, "status": "ok"})
    return pd.DataFrame(rows)


def results_table(results: list[Record], models: Iterable[Model]) -> str:
    """The table of results, in Markdown.

    Args:
        results: Records of all models.
        models: The models to show, in this order.

    Raises:
        InputError: If one of them has no records.
    """
    of_model: dict[str, list[Record]] = {}
    for record in results:
        of_model.setdefault(record["model"], []).append(record)
    lines = [_HEADER]
    for model in models:
        if model.name not in of_model:
            raise InputError(f"metrics/results.json: no results of {model.name}; run `make repro`")
        lines.append(f"| {' | '.join(_cells(model, of_model[model.name]))} |")
    return "\n".join(lines)


def _cells(model: Model, results: list[Record]) -> list[str]:
    names = [model.task.name, model.locale, model.representation, model.network]
    for record in results:
        if record["metric"] in WITHOUT_FIGURES:
            return [*names, f"{record['metric']}: {record['note']}", "", "", ""]
    found = {(r["estimator"], r["metric"]): r for r in results if not r["class"]}
    score = found["network", "balanced_accuracy"]
    value = f"{score['value']:.2f} ({score['low']:.2f}–{score['high']:.2f})"  # noqa: RUF001
    one_class = found["network", "collapsed"]["value"]
    notes = ["collapsed: one class for everything" if one_class else "", score["note"]]
    first = next((name for name in model.task.metrics if ("network", name) in found), "")
    return [
        *names,
        ", ".join([value, *filter(None, notes)]),
        f"{first} {found['network', first]['value']:.2f}" if first else "",
        *(f"{found[name, 'balanced_accuracy']['value']:.2f}" for name in ("linear", "majority")),
    ]


def read_results(path: Path) -> list[Record]:
    """Read the records that the last run has left.

    Raises:
        InputError: If there are none, or they are those of an earlier version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no results to read ({error}); run `make repro`") from error
    wanted = {"model", "estimator", "metric", "class", "value", "low", "high", "note"}
    if not all(isinstance(each, dict) and wanted <= each.keys() for each in found):
        raise InputError(f"{path}: results of an earlier version; run `make repro`")
    return list(found)
