"""Gather the results of all cells into metrics/ and plots/."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from stages._inputs import fetch_missing
from stages._run import run
from voicetraits.corpus.clips import read_clips
from voicetraits.networks.model_folder import USED
from voicetraits.params import Params, load_params
from voicetraits.plots.results import results
from voicetraits.plots.style import message, save
from voicetraits.plots.undersampling import undersampling
from voicetraits.report import tables as summary
from voicetraits.report.models import Cell, declared_cells, read_predictions
from voicetraits.storage.files import fresh_folder, whole_file
from voicetraits.storage.shards import INDEX, PUT_ASIDE


def main() -> None:
    """Read models/, data/clips/, data/wav/ and data/splits/; write metrics/ and plots/."""
    params = load_params()
    cells = declared_cells(params, models=Path("models"))
    fetch_missing(
        [Path("data/clips", f"{locale}.parquet") for locale in params.locales]
        + [Path("data/wav", locale) for locale in params.locales]
        + [cell.folder for cell in cells]
    )
    corpus = [
        row
        for locale in params.locales
        for row in summary.corpus_rows(
            locale,
            read_clips(Path("data/clips", f"{locale}.parquet")),
            pd.read_parquet(Path("data/wav", locale, INDEX)),
            pd.read_parquet(Path("data/wav", locale, PUT_ASIDE)),
        )
    ]
    read = {cell: read_predictions(cell) for cell in cells}
    metrics = {cell: summary.cell_metrics(cell, read[cell], seed=params.seed) for cell in cells}
    headline = summary.headline(metrics, corpus)
    write_json(Path("metrics/summary.json"), headline)
    write_json(Path("metrics/corpus.json"), corpus)

    for task in ("gender", "language"):
        mine = [cell for cell in cells if cell.task.name == task]
        with fresh_folder(Path("metrics", task)) as folder:
            for cell in mine:
                for model, found in metrics[cell].items():
                    write_json(folder / cell.name / f"{model}.json", found)
        trained = [cell for cell in mine if not cell.without_figures]
        history = [row for cell in trained for row in summary.history_rows(cell)]
        matrices = [row for cell in trained for row in summary.confusion_rows(cell, read[cell])]
        write_json(Path("plots", f"{task}_history.json"), history)
        write_json(Path("plots", f"{task}_confusion.json"), matrices)
        if task == "gender":
            roc = [row for cell in trained for row in summary.roc_rows(cell, read[cell])]
            write_json(Path("plots/gender_roc.json"), roc)
        else:
            split = pd.read_parquet("data/splits/language.parquet")
            with fresh_folder(Path("plots/language")) as folder:
                for cell in mine:
                    save(undersampling_picture(cell, split, params), folder / f"{cell.name}.png")

    rows = [row for cell in cells for row in summary.result_rows(cell, metrics[cell])]
    save(results(pd.DataFrame(rows), languages=len(params.locales)), "plots/results.png")
    print(json.dumps(headline, indent=2))


def undersampling_picture(cell: Cell, split: pd.DataFrame, params: Params) -> Figure:
    """What undersampling kept of what it was given, or why there is nothing to show."""
    for status, reason in cell.without_figures.items():
        return message(f"{cell.name} {status}: {reason}")
    undersample = params.protocol.undersample
    used = pd.read_parquet(cell.folder / USED)
    table = summary.undersampling_table(split, used, cell.task, undersample=undersample)
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


if __name__ == "__main__":
    run(main)
