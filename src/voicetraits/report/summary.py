"""Results of all models, from their folders to metrics/ and plots/."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from voicetraits.corpus.clips import read_clips
from voicetraits.models import Model
from voicetraits.networks.model_folder import USED
from voicetraits.plots.results import results as results_picture
from voicetraits.plots.style import message, save
from voicetraits.plots.undersampling import undersampling
from voicetraits.report import results, tables
from voicetraits.report.predictions import read_predictions, without_figures
from voicetraits.storage.files import fresh_folder, whole_file
from voicetraits.storage.shards import EXCLUDED, INDEX

Reasons = Mapping[str, dict[str, str]]


def write_corpus(locales: Sequence[str]) -> list[dict[str, Any]]:
    """Write what became of every clip of these locales to metrics/corpus.json, and return it.

    How many were selected of every label goes to metrics/labels.json.
    """
    rows: list[dict[str, Any]] = []
    labels: list[dict[str, Any]] = []
    for locale in locales:
        clips = read_clips(Path("data/clips", f"{locale}.parquet"))
        labels += tables.label_rows(locale, clips)
        rows += tables.corpus_rows(
            locale,
            clips,
            pd.read_parquet(Path("data/wav", locale, INDEX)),
            pd.read_parquet(Path("data/wav", locale, EXCLUDED)),
        )
    write_json(Path("metrics/corpus.json"), rows)
    write_json(Path("metrics/labels.json"), labels)
    return rows


def read_reasons(models: Iterable[Model]) -> Reasons:
    """What `without_figures` gives for the folders of these models in models/, by their names."""
    return {model.name: without_figures(model, Path("models", model.folder)) for model in models}


def write_results(
    models: Sequence[Model], reasons: Reasons, corpus: list[dict[str, Any]], *, seed: int
) -> dict[str, Any]:
    """Write results, curves and matrices of these models to metrics/ and plots/.

    Args:
        models: As params.yaml declares them; the folder of each is in models/.
        reasons: What `read_reasons` gave for them.
        corpus: What `write_corpus` gave, for the headline.
        seed: Draws the speakers of the intervals.

    Returns:
        The headline.
    """
    found: list[results.Record] = []
    curves: dict[str, list[dict[str, Any]]] = {"history": [], "roc": [], "confusion": []}
    for model in models:
        folder = Path("models", model.folder)
        reason = reasons[model.name]
        predictions = {} if reason else read_predictions(model, folder)
        found += results.records(model, predictions, reason, seed=seed)
        if predictions:
            # The curves are those of the network that is kept.
            first = {name: repeats[0] for name, repeats in predictions[""].test.items()}
            curves["history"] += tables.history_rows(model, folder)
            curves["roc"] += tables.roc_rows(model, first)
            curves["confusion"] += tables.confusion_rows(model, first)
    headline = results.headline(found, corpus)
    write_json(Path("metrics/results.json"), found)
    write_json(Path("metrics/models.json"), results.nested(found))
    write_json(Path("metrics/summary.json"), headline)
    for name, rows in curves.items():
        write_json(Path("plots", f"{name}.json"), rows)
    save(results_picture(results.picture_rows(found)), "plots/results.png")
    return headline


def draw_undersampling(models: Sequence[Model], reasons: Reasons, *, undersample: str) -> None:
    """Draw what undersampling kept for each of these models, to plots/undersampling/."""
    with fresh_folder(Path("plots/undersampling")) as folder:
        for model in models:
            picture = undersampling_picture(model, reasons[model.name], undersample=undersample)
            save(picture, folder / f"{model.folder}.png")


def undersampling_picture(model: Model, reason: Mapping[str, str], *, undersample: str) -> Figure:
    """What undersampling kept of what it was given, or why there is nothing to show.

    Args:
        model: The model; its folder is in models/.
        reason: What `without_figures` gave for it.
        undersample: Of the protocol: "training" where undersampling was given that part alone.
    """
    for status, why in reason.items():
        return message(f"{model.name} {status}: {why}")
    split = pd.read_parquet(Path("data/splits", f"{model.split}.parquet"))
    split = split[(split["left_out"] == "") & (split["repeat"] == 1)]
    used = pd.read_parquet(Path("models", model.folder, USED))
    table = tables.undersampling_table(split, used, model.task, undersample=undersample)
    given = "all parts" if undersample == "everything" else f"the {undersample} part"
    return undersampling(table, given=given)


def write_json(path: Path, content: Any) -> None:
    """Write JSON, one row per line where it is a list.

    Raises:
        ValueError: If a number is infinite or none at all.
    """
    if isinstance(content, list):
        rows = (json.dumps(row, ensure_ascii=False, allow_nan=False) for row in content)
        lines = ",\n".join(rows)
        text = f"[\n{lines}\n]\n"
    else:
        text = json.dumps(content, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    with whole_file(path) as partial:
        partial.write_text(text, encoding="utf-8")
