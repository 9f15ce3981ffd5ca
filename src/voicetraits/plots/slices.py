"""The picture of a model by age, accent, length, loudness and origin of the clips."""

from __future__ import annotations

from textwrap import shorten

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from voicetraits.plots.style import BLUE, GREY, headline, message, styled

_ROW = 0.27  # inches
_NAME_WIDTH = 34  # letters


@styled
def slices(rows: pd.DataFrame, *, name: str) -> Figure:
    """Balanced accuracy of one model by slice: a dot with its interval, hollow where few speak.

    Args:
        rows: One per slice, in the order to be shown: attribute, slice, value, low, high (None
            where there is no interval), clips, speakers, few, chance.
        name: Of the model, for the title.
    """
    if rows.empty:
        return message(f"{name}: nothing is known that divides its test clips")
    groups = list(rows.groupby("attribute", sort=False))
    heights = [len(of_one) for _, of_one in groups]
    size = (9.0, 1.5 + _ROW * sum(heights) + 0.42 * len(groups))
    figure = Figure(figsize=size, layout="constrained")
    headline(figure, f"{name}: balanced accuracy by slice")
    grid = figure.subplots(len(groups), 1, squeeze=False, sharex=True, height_ratios=heights)[:, 0]
    chance = float(rows["chance"].iloc[0])
    lowest = float(np.nanmin([*rows["low"].astype(float), *rows["value"], chance]))
    for axes, (attribute, of_one) in zip(grid, groups, strict=True):
        _panel(axes, of_one)
        axes.set_title(str(attribute).capitalize(), fontsize=10)
        axes.axvline(chance, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=0)
        axes.set_xlim(max(-0.02, lowest - 0.04), 1.02)
    grid[-1].set_xlabel("balanced accuracy, with its 95 % interval by speaker")
    _legend(figure)
    return figure


def _panel(axes: Axes, rows: pd.DataFrame) -> None:
    """The slices of one attribute, with their counts at the right."""
    values = rows[["value", "low", "high"]].to_numpy(float)
    for y, ((value, low, high), few) in enumerate(zip(values, rows["few"], strict=True)):
        colour, fill = (GREY, "white") if few else (BLUE, BLUE)
        if not np.isnan(low):
            axes.plot([low, high], [y, y], color=colour, linewidth=2, zorder=2)
        axes.plot(value, y, "o", color=colour, markerfacecolor=fill, markersize=7, zorder=3)
    names = [shorten(str(name), _NAME_WIDTH, placeholder="…") for name in rows["slice"]]
    axes.set_yticks(range(len(rows)), names)
    axes.set_ylim(len(rows) - 0.5, -0.5)
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x", color="#EEEEEE", linewidth=0.8)
    axes.set_axisbelow(True)
    beside = axes.twinx()
    beside.spines[["left", "bottom"]].set_visible(False)
    beside.tick_params(length=0, labelsize=9)
    beside.set_ylim(axes.get_ylim())
    counts = [
        f"{clips:,} clips, {speakers:,} speakers"
        for clips, speakers in zip(rows["clips"], rows["speakers"], strict=True)
    ]
    beside.set_yticks(range(len(rows)), counts)


def _legend(figure: Figure) -> None:
    few = "fewer than ten speakers of a class"
    handles = [
        Line2D([], [], color=BLUE, marker="o", label="ten or more speakers of each class"),
        Line2D([], [], color=GREY, marker="o", markerfacecolor="white", label=few),
        Line2D([], [], color=GREY, linestyle=(0, (4, 3)), linewidth=1, label="chance"),
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=3)
