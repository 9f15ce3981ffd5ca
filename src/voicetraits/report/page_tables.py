"""The tables of the page: records of metrics/ as rows of text."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from voicetraits.networks.model_folder import WITHOUT_FIGURES
from voicetraits.report.results import Record

ESTIMATORS = {
    "network": "trained network",
    "linear": "logistic regression",
    "pitch": "F0 threshold",
    "majority": "majority class",
}
_OF_MODEL = ("task", "locale", "representation", "network")
# What may say whose clip it was stays out, whichever file brings it.
_PRIVATE = ("clip", "speaker", "client_id", "path", "file")
_MOST_ROWS = 300


class Table(NamedTuple):
    """A table as text; the first cells of its rows are their headings."""

    caption: str
    columns: list[str]
    rows: list[list[str]]


def results_table(results: Iterable[Record]) -> Table:
    """A row per model: balanced accuracy of every estimator with its interval, and notes."""
    models = by_model(results)
    every = [record for found in models.values() for record in found]
    present = {record["estimator"] for record in every if record["metric"] == "balanced_accuracy"}
    estimators = [name for name in ESTIMATORS if name in present]
    estimators += sorted(present - set(estimators))
    rows = []
    for model, found in models.items():
        of_all = {(r["estimator"], r["metric"]): r for r in reversed(found) if not r["class"]}
        scores = [of_all.get((name, "balanced_accuracy")) for name in estimators]
        counts = [of_all.get(("network", name)) for name in ("clips", "speakers")]
        rows.append(
            [
                model,
                *(_with_interval(score) for score in scores),
                "; ".join(_notes(of_all)),
                *(shown(count["value"] if count else None) for count in counts),
            ]
        )
    names = [ESTIMATORS.get(name, name) for name in estimators]
    columns = ["model", *names, "note", "test clips", "test speakers"]
    return Table("Balanced accuracy on the test part (95 % interval)", columns, rows)


def by_model(results: Iterable[Record]) -> dict[str, list[Record]]:
    """The records of every model by its name, in their order."""
    models: dict[str, list[Record]] = {}
    for record in results:
        models.setdefault(record["model"], []).append(record)
    return models


def _with_interval(score: Record | None) -> str:
    if score is None:
        return shown(None)
    value = f"{score['value']:.2f}"
    if score["low"] is None or score["low"] == score["high"]:
        return value
    return f"{value} ({score['low']:.2f} to {score['high']:.2f})"


def _notes(of_all: dict[tuple[str, str], Record]) -> Iterable[str]:
    for status in WITHOUT_FIGURES:
        if ("network", status) in of_all:
            yield f"{status}: {of_all['network', status]['note']}"
    if of_all.get(("network", "collapsed"), {"value": 0})["value"]:
        yield "collapsed: one class for everything"
    if note := of_all.get(("network", "balanced_accuracy"), {"note": ""})["note"]:
        yield str(note)


def figures_table(results: Iterable[Record]) -> Table:
    """Every figure of every model and estimator, metrics as columns."""
    found = [record for record in results if record["metric"] not in WITHOUT_FIGURES]
    named = [(" ".join(filter(None, (r["metric"], r["class"]))), r) for r in found]
    metrics = list(dict.fromkeys(name for name, _ in named))
    values: dict[tuple[str, str], dict[str, Any]] = {}
    for name, record in named:
        of_row = values.setdefault((record["model"], record["estimator"]), {})
        of_row.setdefault(name, record["value"])
    rows = [
        [model, ESTIMATORS.get(estimator, estimator), *(shown(of.get(name)) for name in metrics)]
        for (model, estimator), of in values.items()
    ]
    return Table("Every figure on the test part", ["model", "estimator", *metrics], rows)


def corpus_tables(corpus: Sequence[Record], labels: Sequence[Record]) -> list[Table]:
    """Clips by locale and outcome, why they were excluded, and clips by label."""
    locales = list(dict.fromkeys(row["locale"] for row in corpus))
    outcomes = ("converted", "excluded")
    counts = {(locale, outcome): 0 for locale in locales for outcome in outcomes}
    for row in corpus:
        counts[row["locale"], row["outcome"]] += row["clips"]
    by_locale = [
        [locale, *(shown(counts[locale, outcome]) for outcome in outcomes)] for locale in locales
    ]
    reasons = [row for row in corpus if row["reason"]]
    tables = [
        Table("Clips by locale", ["locale", *outcomes], by_locale),
        records_table("Why clips were excluded, or how they were changed", reasons),
        records_table("Selected clips by the label that speakers gave", labels),
    ]
    return [table for table in tables if table.rows]


def records_table(caption: str, content: Any) -> Table:
    """Any records as a table; a nested mapping becomes rows of a name and a value.

    Columns that may name a clip or a speaker are left out, and so is what follows 300 rows.
    """
    if isinstance(content, dict):
        content = [{"figure": name, "value": value} for name, value in _flat(content)]
    records = [row for row in content if isinstance(row, dict)]
    columns = list(dict.fromkeys(key for row in records for key in row if key not in _PRIVATE))
    if "model" in columns:  # which says the same
        columns = [key for key in columns if key not in _OF_MODEL]
    columns = [key for key in columns if any(row.get(key) not in (None, "") for row in records)]
    rows = [[shown(row.get(key)) for key in columns] for row in records[:_MOST_ROWS]]
    if len(records) > _MOST_ROWS:
        caption += f" (the first {_MOST_ROWS} of {len(records):,} rows)"
    return Table(caption, columns, rows)


def _flat(content: dict[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in content.items():
        if key in _PRIVATE:
            continue
        if isinstance(value, dict):
            yield from _flat(value, f"{prefix}{key} ")
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


def shown(value: Any) -> str:
    """A value as a cell shows it.

    >>> [shown(value) for value in (1984, 0.8703, 1.0, None, True, "es")]
    ['1,984', '0.870', '1.000', '-', 'yes', 'es']
    """
    if value is None or value == "":
        return "-"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return f"{value:,.3f}" if isinstance(value, float) else str(value)
