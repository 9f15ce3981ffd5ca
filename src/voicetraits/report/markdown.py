"""The table of results in Markdown, as README shows it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from voicetraits.errors import InputError
from voicetraits.models import Model
from voicetraits.networks.model_folder import WITHOUT_FIGURES
from voicetraits.report.results import Record

# Columns of the estimators that need no network.
_BASELINES = {
    "linear": "logistic regression",
    "pitch": "F0 threshold",
    "majority": "majority class",
}


def results_table(results: list[Record], models: Iterable[Model]) -> str:
    """The table of results, in Markdown.

    Args:
        results: Records of all models.
        models: The models to show, in this order, with one task each.

    Raises:
        InputError: If one of them has no records.
    """
    of_model: dict[str, list[Record]] = {}
    for record in results:
        of_model.setdefault(record["model"], []).append(record)
    # Only where a source was left out there is more than one test part to tell apart.
    sources = any(record["left_out"] for record in results)
    names = ["task", "locale", "representation", "network", *(["tested on"] if sources else [])]
    header = [
        *names,
        "balanced accuracy (95 % interval)",
        "first metric",
        *_BASELINES.values(),
    ]
    lines = [_line(header), "|" + "---|" * len(header)]
    for model in models:
        if model.name not in of_model:
            raise InputError(f"metrics/results.json: no results of {model.name}; run `make repro`")
        rows = of_model[model.name]
        for left_out in dict.fromkeys(row["left_out"] for row in rows):
            tested = [left_out or "other speakers"] if sources else []
            cells = _cells(model, [row for row in rows if row["left_out"] == left_out])
            lines.append(_line([*cells[:4], *tested, *cells[4:]]))
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cells(model: Model, results: list[Record]) -> list[str]:
    names = [model.task.name, model.locale, model.representation, model.columns["network"]]
    for record in results:
        if record["metric"] in WITHOUT_FIGURES:
            blank = [""] * (1 + len(_BASELINES))
            return [*names, f"{record['metric']}: {record['note']}", *blank]
    found = {(r["estimator"], r["metric"]): r for r in results if not r["class"]}
    score = found["network", "balanced_accuracy"]
    one_class = ("network", "collapsed") in found and found["network", "collapsed"]["value"]
    notes = ["collapsed: one class for everything" if one_class else "", score["note"]]
    first = next((name for name in model.task.metrics if ("network", name) in found), "")
    return [
        *names,
        ", ".join([_value(score), *filter(None, notes)]),
        f"{first} {found['network', first]['value']:.2f}" if first else "",
        *(f"{found[name, 'balanced_accuracy']['value']:.2f}" for name in _BASELINES),
    ]


def _value(score: Record) -> str:
    """Mean, deviation over repeats where there are several, and interval."""
    spread = "" if score["spread"] is None else f" ± {score['spread']:.2f}"
    interval = ""
    if score["low"] is not None:
        interval = f" ({score['low']:.2f}–{score['high']:.2f})"  # noqa: RUF001
    return f"{score['value']:.2f}{spread}{interval}"
