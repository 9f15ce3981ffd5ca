"""The picture of what a corpus holds and of what was selected of it."""

from __future__ import annotations

from itertools import pairwise
from textwrap import fill
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voicetraits.corpus.labels import AGES, GENDERS
from voicetraits.plots.style import BLUE, GREY, PALE, bars, headline, stages_legend, styled

_NOT_GIVEN = "not given"

_AGES = dict(
    zip(
        AGES,
        (
            *("under 20", "20 to 29", "30 to 39", "40 to 49", "50 to 59"),
            *("60 to 69", "70 to 79", "80 to 89", "90 and over"),
        ),
        strict=True,
    )
)

_BARS_SHOWN = 8
_NAME_WIDTH = 26


@styled
def count_plots(table: pd.DataFrame, locale: str) -> Figure:
    """What a corpus holds and what was selected of it.

    Args:
        table: The clip table, one row per clip: speaker, gender, age, accent, duration (seconds,
            NaN where unknown), excluded ("" where selected, the reason elsewhere).
        locale: For the title.

    Returns:
        Six panels: gender, age, accent, clips per speaker, duration, reasons for exclusion. Pale
        bars count the corpus, dark bars the selection.
    """
    selected = table["excluded"].eq("")
    title = f"{locale}: {len(table):,} clips in the corpus, {selected.sum():,} selected"
    figure = Figure(figsize=(12, 7.2), layout="constrained")
    headline(figure, title)
    panels = figure.subplots(2, 3).flat

    gender = table["gender"].replace("", _NOT_GIVEN)
    genders = [name for name in GENDERS if name in {"male", "female", *gender}]
    bars(next(panels), "Gender, as given", _tally(gender, selected, genders))

    age = table["age"].map(_AGES | {"": _NOT_GIVEN}).fillna(table["age"])
    ages = [name for name in _AGES.values() if name in set(age)]
    ages += sorted(set(age) - {*ages, _NOT_GIVEN})
    bars(next(panels), "Age, as given", _tally(age, selected, ages))

    accent, accents = _most_frequent(table["accent"], other="other accents")
    bars(next(panels), "Accent, as given", _tally(accent, selected, accents))

    per_speaker = _speakers_by_clips(table["speaker"], selected)
    bars(next(panels), "Speakers by number of clips", per_speaker)
    _durations(next(panels), table["duration"], selected)

    reason, reasons = _most_frequent(table["excluded"][~selected], other="other reasons", lines=2)
    set_aside = _tally(reason, pd.Series(False, index=reason.index), reasons)
    bars(next(panels), "Clips not selected", set_aside, one_stage=True)

    stages_legend(figure, "in the corpus", "selected")
    return figure


def _tally(values: pd.Series, selected: pd.Series, order: list[str]) -> pd.DataFrame:
    """Counts of each value in the corpus and in the selection; blanks last, where there are any."""
    order = order + [_NOT_GIVEN] * bool(values.eq(_NOT_GIVEN).any())
    return (
        pd.DataFrame(
            {"before": values.value_counts(), "after": values[selected].value_counts()},
            index=pd.Index(order, dtype=object),
        )
        .fillna(0)
        .astype(int)
    )


def _most_frequent(values: pd.Series, *, other: str, lines: int = 1) -> tuple[pd.Series, list[str]]:
    """Free text made fit for bars: the most frequent values, the rest under one name."""
    short = {
        value: fill(" ".join(value.split()), _NAME_WIDTH, max_lines=lines, placeholder="…")
        or _NOT_GIVEN
        for value in values.unique()
    }
    names = values.map(short).astype(object)
    counts = names[names.ne(_NOT_GIVEN)].value_counts()
    ranked = sorted(counts.index, key=lambda name: (-counts[name], name))
    shown = ranked[:_BARS_SHOWN]
    names = names.where(names.isin([*shown, _NOT_GIVEN]), other)
    return names, shown + [other] * (len(ranked) > len(shown))


def _speakers_by_clips(speaker: pd.Series, selected: pd.Series) -> pd.DataFrame:
    """How many speakers gave how many clips: one row per number, or per range where they spread."""
    known = speaker.ne("")  # a broken row has no speaker
    before = speaker[known].value_counts()
    after = speaker[known & selected].value_counts()
    most = int(before.max()) if len(before) else 0
    if most <= 12:
        edges = [*range(1, most + 1)]
    else:
        edges = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 10_000]
        edges = [edge for edge in edges if edge <= most]
    bounds = [*edges, max(most + 1, 2)]
    names = [
        f"{low:,}" if high == low + 1 else f"{low:,} to {high - 1:,}"
        for low, high in pairwise(bounds)
    ]
    counts: dict[str, Any] = {
        stage: np.histogram(clips, bins=bounds)[0] if edges else []
        for stage, clips in (("before", before), ("after", after))
    }
    table = pd.DataFrame(counts, index=pd.Index(names[: len(edges)], dtype=object), dtype=int)
    return table.loc[table.any(axis=1).cummax()]


def _durations(axes: Axes, duration: pd.Series, selected: pd.Series) -> None:
    known = duration.dropna()
    axes.set_title("Duration")
    axes.set(xlabel="seconds", ylabel="clips")
    if known.empty:
        axes.text(0.5, 0.5, "no durations known", transform=axes.transAxes, ha="center", color=GREY)
        axes.set(xticks=[], yticks=[])
        return
    # A few endless recordings must not squeeze all others into one bar: they share the last.
    width = next(w for w in (0.25, 0.5, 1, 2, 5, 10, 60, np.inf) if known.quantile(0.99) <= 30 * w)
    last = width * (int(known.quantile(0.99) // width) + 1)
    bins = np.arange(0, last + width / 2, width)
    for values, colour in ((known, PALE), (duration[selected].dropna(), BLUE)):
        axes.hist(np.minimum(values, last), bins=list(bins), color=colour)
    notes = {"longer, in the last bar": (known > last).sum(), "unknown": duration.isna().sum()}
    said = "; ".join(f"{count:,} {what}" for what, count in notes.items() if count)
    axes.set_xlabel(f"seconds\n({said})" if said else "seconds")
