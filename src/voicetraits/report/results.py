"""Results of all models as one long list of records, and everything that is made of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.dataset.folds import ENOUGH_CLIPS
from voicetraits.errors import InputError
from voicetraits.evaluation.intervals import (
    Judged,
    balanced_accuracy_interval,
    speakers_by_class,
    too_few_speakers,
)
from voicetraits.evaluation.metrics import collapsed, figures
from voicetraits.models import Model
from voicetraits.networks.model_folder import WITHOUT_FIGURES
from voicetraits.report.predictions import Found, Predictions

Record = dict[str, Any]
# In place of a source that was left out, where it is the mean over all of them.
MEAN = "mean over sources"


def records(
    model: Model, found: Mapping[str, Found], reason: Mapping[str, str], *, seed: int
) -> list[Record]:
    """Results of one model, one record per estimator, metric and class.

    Args:
        model: The model.
        found: What `read_predictions` gave for it.
        reason: What `without_figures` gave for it.
        seed: Draws the speakers of the interval.

    Returns:
        Records with the same keys each, as DVC wants them: the model's columns, left_out (the
        source tested on by a network trained without it, MEAN for the mean over these, "" for a
        test part of speakers), estimator, metric, class ("" for all), value (the mean over
        repeats), spread (their standard deviation; None of one), low and high (the 95 % interval
        of a balanced accuracy, else None), chance (the balanced accuracy of guessing) and note
        (why a balanced accuracy says little). A model without figures has one record with
        `skipped` or `failed` as metric, and the reason as note.
    """
    if reason:
        return [
            {**model.columns, "left_out": "", "estimator": "network", **row}
            for row in (_row(model, status, [1], note=why) for status, why in reason.items())
        ]
    rows = [
        {**model.columns, "left_out": left_out, "estimator": estimator, **row}
        for left_out, of_split in found.items()
        for estimator, repeats in of_split.test.items()
        for row in (_of_source if left_out else _of_speakers)(model, repeats, seed=seed)
    ]
    return rows + _over_sources(model, rows)


def _of_speakers(model: Model, repeats: Sequence[Predictions], *, seed: int) -> Iterator[Record]:
    """All metrics of a test part of speakers."""
    first = repeats[0]
    counts = speakers_by_class(first.labels, first.speakers, model.task)
    classes = range(len(model.task.classes))
    low, high = balanced_accuracy_interval(judged(repeats), classes, seed=seed)
    note = too_few_speakers(counts, model.task)
    by_repeat = [figures(each.labels, each.probabilities, model.task) for each in repeats]
    for several in zip(*by_repeat, strict=True):
        name, of_class, _ = several[0]
        values = [figure.value for figure in several]
        if name == "balanced_accuracy":
            yield _row(model, name, values, of_class, low=low, high=high, note=note)
        else:
            yield _row(model, name, values, of_class)
    yield _row(model, "clips", [len(first.labels)])
    yield _row(model, "speakers", [len(np.unique(first.speakers))])
    for name, count in counts.items():
        yield _row(model, "speakers", [count], name)
    yield _row(model, "collapsed", [max(int(collapsed(each.probabilities)) for each in repeats)])


def _of_source(model: Model, repeats: Sequence[Predictions], *, seed: int) -> Iterator[Record]:
    """Balanced accuracy on a source that was left out, over its classes with enough clips."""
    labels = repeats[0].labels
    clips = np.bincount(labels, minlength=len(model.task.classes))
    classes = np.flatnonzero(clips >= ENOUGH_CLIPS).tolist()
    low, high = balanced_accuracy_interval(judged(repeats), classes, seed=seed)
    values = [
        float(np.mean([(each.predicted[each.labels == n] == n).mean() for n in classes]))
        for each in judged(repeats)
    ]
    few = [name for n, name in enumerate(model.task.classes) if n not in classes]
    note = f"without {', '.join(few)}: fewer than {ENOUGH_CLIPS} clips" if few else ""
    yield _row(model, "balanced_accuracy", values, low=low, high=high, note=note)
    yield _row(model, "clips", [len(labels)])
    yield _row(model, "speakers", [len(np.unique(repeats[0].speakers))])


def _over_sources(model: Model, rows: Sequence[Record]) -> list[Record]:
    """Mean over the sources that were left out, each counting the same; none of one."""
    found = []
    for estimator in dict.fromkeys(row["estimator"] for row in rows):
        values = [
            row["value"]
            for row in rows
            if row["left_out"]
            and row["metric"] == "balanced_accuracy"
            and row["estimator"] == estimator
        ]
        if len(values) > 1:
            row = _row(model, "balanced_accuracy", [float(np.mean(values))])
            note = f"mean of {len(values)} sources"
            row = {**row, "note": note}
            found.append({**model.columns, "left_out": MEAN, "estimator": estimator, **row})
    return found


def judged(repeats: Iterable[Predictions]) -> list[Judged]:
    """The same with the likeliest class in place of probabilities."""
    return [
        Judged(each.labels, each.probabilities.argmax(axis=1), each.speakers) for each in repeats
    ]


def _row(
    model: Model,
    metric: str,
    values: Sequence[float],
    of_class: str = "",
    *,
    low: float | None = None,
    high: float | None = None,
    note: str = "",
) -> Record:
    value = values[0] if len(values) == 1 else float(np.mean(values))
    return {
        "metric": metric,
        "class": of_class,
        "value": round(value, 4),
        "spread": round(float(np.std(values, ddof=1)), 4) if len(values) > 1 else None,
        "low": low,
        "high": high,
        "chance": round(1 / len(model.task.classes), 4),
        "note": note,
    }


def nested(results: Iterable[Record]) -> dict[str, Any]:
    """The same as DVC shows and compares it: model, estimator, metric (with its class) to value."""
    found: dict[str, Any] = {}
    for record in results:
        of_model = found.setdefault(record["model"], {})
        if record["metric"] in WITHOUT_FIGURES:
            of_model[record["metric"]] = record["note"]
            continue
        of_split = of_model
        if record["left_out"]:
            of_split = of_model.setdefault(f"without {record['left_out']}", {})
        values = of_split.setdefault(record["estimator"], {})
        name = "_".join(filter(None, (record["metric"], record["class"])))
        values[name] = record["value"]
        if record["metric"] == "balanced_accuracy":
            more = {key: record[key] for key in ("low", "high", "spread")}
            values.update({key: value for key, value in more.items() if value is not None})
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
    networks = [r for r in results if r["estimator"] == "network" and not r["left_out"]]
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
        if record["left_out"]:
            continue
        if record["metric"] in WITHOUT_FIGURES:
            rows.append({**record, "value": None, "status": record["metric"]})
        elif record["metric"] == "balanced_accuracy":
            rows.append({**record, "status": "ok"})
    return pd.DataFrame(rows)


def read_results(path: Path) -> list[Record]:
    """Read the records that the last run has left.

    Raises:
        InputError: If there are none, or they are those of an earlier version.
    """
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise InputError(
            f"{path}: no results here; run `make repro`, in the folder of the repository"
        ) from error
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: no results to read ({error}); run `make repro`") from error
    wanted = {"model", "estimator", "metric", "class", "value", "low", "high", "note"}
    if not all(isinstance(each, dict) and wanted <= each.keys() for each in found):
        raise InputError(f"{path}: results of an earlier version; run `make repro`")
    return list(found)
