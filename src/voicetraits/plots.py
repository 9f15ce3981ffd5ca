"""The pictures: what a corpus holds, one clip, what undersampling keeps, and the results.

Every function takes tidy data and returns a matplotlib Figure; `save` writes it. None of them
uses pyplot or its global state, and the bytes of a picture depend on its data alone.
"""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from textwrap import fill
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from voicetraits.files import whole_file

# Okabe and Ito's palette, distinct under every common colour blindness.
# Source: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREY, INK, PALE = "#0072B2", "#E69F00", "#7F7F7F", "#262626", "#B5D8EC"

_STYLE: dict[Any, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib, so every machine has it
    "font.size": 10,
    "text.color": INK,
    "text.parse_math": False,  # accents are free text, and may hold dollar signs
    "axes.edgecolor": "#BBBBBB",
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "figure.titlesize": 14,
    "figure.titleweight": "bold",
    "legend.frameon": False,
    "figure.dpi": 110,
    "figure.constrained_layout.w_pad": 0.15,  # inches
    "figure.constrained_layout.h_pad": 0.15,
}
# Upon matplotlib's defaults, whatever this machine's matplotlibrc says.
styled = matplotlib.style.context(_STYLE, after_reset=True)

_NOT_GIVEN = "not given"
_AGES = {  # Common Voice's words, its spelling of forty included
    "teens": "under 20",
    "twenties": "20 to 29",
    "thirties": "30 to 39",
    "fourties": "40 to 49",
    "fifties": "50 to 59",
    "sixties": "60 to 69",
    "seventies": "70 to 79",
    "eighties": "80 to 89",
    "nineties": "90 and over",
}
_BARS_SHOWN = 8
_NAME_WIDTH = 26


@styled
def save(figure: Figure, path: str | Path) -> None:
    """Write a figure as PNG, complete or not at all, the same bytes every time.

    A palette of 256 colours keeps the pictures small enough to live in Git.
    """
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    image = Image.fromarray(np.asarray(canvas.buffer_rgba())).convert("RGB")
    image = image.quantize(256, dither=Image.Dither.NONE)
    with whole_file(Path(path)) as partial:
        image.save(partial, format="PNG", optimize=True)


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
    _headline(figure, title)
    panels = figure.subplots(2, 3).flat

    gender = table["gender"].replace("", _NOT_GIVEN)
    genders = ["female", "male", *sorted(set(gender) - {"female", "male", _NOT_GIVEN})]
    _bars(next(panels), "Gender, as the speaker gave it", _tally(gender, selected, genders))

    age = table["age"].map(_AGES | {"": _NOT_GIVEN}).fillna(table["age"])
    ages = [name for name in _AGES.values() if name in set(age)]
    ages += sorted(set(age) - {*ages, _NOT_GIVEN})
    _bars(next(panels), "Age, as the speaker gave it", _tally(age, selected, ages))

    accent, accents = _most_frequent(table["accent"], other="other accents")
    _bars(next(panels), "Accent, as the speaker gave it", _tally(accent, selected, accents))

    per_speaker = _speakers_by_clips(table["speaker"], selected)
    _bars(next(panels), "Speakers by their number of clips", per_speaker)
    _durations(next(panels), table["duration"], selected)

    reason, reasons = _most_frequent(table["excluded"][~selected], other="other reasons", lines=2)
    set_aside = _tally(reason, pd.Series(False, index=reason.index), reasons)
    _bars(next(panels), "Clips not selected, by reason", set_aside, one_stage=True)

    for label, colour in (("in the corpus", PALE), ("selected", BLUE)):
        figure.axes[0].bar(0, 0, color=colour, label=label)
    figure.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1))
    return figure


@styled
def example_clip(signal: np.ndarray, sample_rate: int, *, locale: str, label: str) -> Figure:
    """One clip: waveform above spectrogram, on the same time axis.

    Args:
        signal: Mono, shape (samples,), float in [-1, 1]; at least one sample.
        sample_rate: In Hz.
        locale: For the title.
        label: "female" or "male", as the speaker gave it.
    """
    seconds = len(signal) / sample_rate
    figure = Figure(figsize=(9, 5), layout="constrained")
    _headline(figure, f"{locale}: voice labelled {label} by the speaker, {seconds:.1f} s")
    above, below = figure.subplots(2, 1, sharex=True, height_ratios=[1, 1.9])

    above.plot(np.arange(len(signal)) / sample_rate, signal, color=BLUE, linewidth=0.5)
    limit = 1.05 * max(float(np.abs(signal).max()), 1e-3)
    above.set(title="Waveform", ylabel="amplitude", ylim=(-limit, limit), xlim=(0, seconds))

    # 25 ms windows every 10 ms show syllables and harmonics; a quiet recording spans 80 dB. Steps
    # of 2.5 dB look continuous, and halve the file.
    window = min(round(0.025 * sample_rate), len(signal))
    hop = max(round(0.01 * sample_rate), 1)
    length = max(512, window)
    frames = np.lib.stride_tricks.sliding_window_view(signal, window)[::hop]
    frames = frames - frames.mean(axis=1, keepdims=True, dtype=np.float64)
    power = np.abs(np.fft.rfft(frames * np.hanning(window + 2)[1:-1], length).T) ** 2
    frequencies = np.fft.rfftfreq(length, 1 / sample_rate)
    heard = frequencies <= 8000
    decibels = 10 * np.log10(np.maximum(power[heard] / max(power.max(), 1e-20), 1e-8))
    image = below.imshow(
        decibels,
        origin="lower",
        aspect="auto",
        cmap=matplotlib.colormaps["magma"].resampled(32),
        interpolation="nearest",
        vmin=-80,
        vmax=0,
        extent=(0, seconds, 0, frequencies[heard][-1] / 1000),
    )
    below.set(title="Spectrogram", xlabel="time (s)", ylabel="frequency (kHz)")
    figure.colorbar(image, ax=below, label="dB relative to the loudest", pad=0.01)
    return figure


@styled
def message(text: str) -> Figure:
    """A picture that says why there is no picture."""
    figure = Figure(figsize=(9, 2))
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=13, wrap=True)
    return figure


@styled
def language_summary(table: pd.DataFrame) -> Figure:
    """Clips and speakers by language and gender label, before and after undersampling.

    Args:
        table: Columns locale, gender, stage ("before" or "after"), clips, speakers.
    """
    totals = table.groupby("stage")[["clips", "speakers"]].sum()
    totals = totals.reindex(["before", "after"], fill_value=0)
    after, before = (totals.loc[stage].astype(int) for stage in ("after", "before"))
    said = [f"{after[what]:,} of {before[what]:,} {what}" for what in ("clips", "speakers")]
    rows = table.assign(name=table["locale"] + "  " + table["gender"])
    names = list(rows["name"].unique())
    figure = Figure(figsize=(11, 1.6 + 0.36 * max(len(names), 1)), layout="constrained")
    _headline(figure, f"Undersampling keeps {said[0]}, from {said[1]}")
    for axes, what in zip(figure.subplots(1, 2), ("clips", "speakers"), strict=True):
        counts = rows.pivot_table(index="name", columns="stage", values=what, aggfunc="sum")
        counts = counts.reindex(index=names, columns=["before", "after"]).fillna(0).astype(int)
        _bars(axes, f"{what.capitalize()}, by language and gender label", counts)
    for label, colour in (("before", PALE), ("after", BLUE)):
        figure.axes[0].bar(0, 0, color=colour, label=label)
    figure.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1))
    return figure


def _headline(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left")


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


def _bars(axes: Axes, title: str, counts: pd.DataFrame, *, one_stage: bool = False) -> None:
    """Horizontal bars: pale before, dark after, both counts written at the end."""
    axes.set_title(title)
    axes.spines[["left", "bottom"]].set_visible(False)
    axes.tick_params(length=0)
    axes.set_xticks([])
    if counts.empty:
        axes.set_yticks([])
        axes.text(0, 0.5, "none", transform=axes.transAxes, color=GREY)
        return
    rows = np.arange(len(counts))
    axes.barh(rows, counts["before"], height=0.8, color=PALE)
    if not one_stage:
        axes.barh(rows, counts["after"], height=0.4, color=BLUE)
    for row, (before, after) in enumerate(zip(counts["before"], counts["after"], strict=True)):
        text = f"  {before:,}" if one_stage or before == after else f"  {before:,} → {after:,}"
        axes.text(before, row, text, va="center", fontsize=9)
    axes.set_yticks(rows, counts.index)
    # Room for the counts at the right; few bars stay slim instead of filling the panel.
    axes.set_xlim(0, 1.35 * max(counts["before"].max(), 1))
    axes.set_ylim(max(len(counts), 5) - 0.4, -0.6)


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
    axes.set_xlabel(f"seconds ({said})" if said else "seconds")
