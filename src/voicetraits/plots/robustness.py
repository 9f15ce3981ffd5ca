"""Pictures of models on recordings and languages that they were not trained on."""

from __future__ import annotations

from typing import Any

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voicetraits.plots.panels import by_locale, edge_labels, guide, look, panels
from voicetraits.plots.style import GREY, headline, message, styled

_APART = 0.1  # of the lines of one panel, in conditions, so that intervals do not hide each other


@styled
def robustness(rows: pd.DataFrame) -> Figure:
    """Balanced accuracy of every model under every condition.

    Args:
        rows: One per model and condition, conditions in the order to be shown: task, locale,
            representation, network, condition, value, low, high, chance.
    """
    if rows.empty:
        return message("no robustness measured yet")
    conditions = list(rows["condition"].unique())
    title = "Balanced accuracy on recordings made worse, with 95 % intervals"
    figure, found = panels(rows, title=title, height=2.9, below=0.9)
    locales = list(rows["locale"].unique())
    for axes, here in found:
        guide(axes, [-0.5, len(conditions) - 0.5], [here["chance"].iloc[0]] * 2)
        lines = list(by_locale(here))
        for number, (locale, line) in enumerate(lines):
            x = np.array([conditions.index(name) for name in line["condition"]])
            x = x + _APART * (number - (len(lines) - 1) / 2)
            style = look(locale, locales)
            axes.vlines(
                x,
                line["low"].astype(float),
                line["high"].astype(float),
                color=style["color"],
                linewidth=1.2,
                alpha=0.45,
            )
            axes.plot(
                x,
                line["value"],
                linewidth=1,
                markeredgecolor="white",
                markeredgewidth=0.5,
                **style,
            )
        axes.set_xticks(range(len(conditions)), conditions, rotation=35, ha="right")
        axes.tick_params(axis="x", length=0)
        axes.set_xlim(-0.5, len(conditions) - 0.5)
        of_task = rows[rows["task"].eq(here["task"].iloc[0])]
        lowest = np.nanmin(of_task[["low", "value", "chance"]].to_numpy(float))
        axes.set_ylim(max(0, lowest - 0.03), 1.02)
    edge_labels(found, "", "balanced accuracy")
    return figure


@styled
def across(rows: pd.DataFrame) -> Figure:
    """Balanced accuracy of the model of each locale on the test clips of each.

    Args:
        rows: One per pair, of one task: task, representation, network, trained_on, tested_on,
            value, low, high (None where there is no interval), few.

    Returns:
        A square per network; values from few speakers are in brackets.
    """
    if rows.empty:
        return message("no models of several locales to compare")
    groups = list(rows.groupby(["representation", "network"], sort=False))
    locales = list(dict.fromkeys([*rows["trained_on"], *rows["tested_on"]]))
    each = 0.95 * len(locales) + 0.8
    columns = min(len(groups), 2)
    lines = -(-len(groups) // columns)
    size = (max(each * columns + 1.2, 6), each * lines + 1.5)
    figure = Figure(figsize=size, layout="constrained")
    task = rows["task"].iloc[0].capitalize()
    headline(figure, f"{task} across languages: balanced accuracy, with 95 % intervals")
    grid = figure.subplots(lines, columns, squeeze=False).ravel()
    for axes in grid[len(groups) :]:
        axes.set_axis_off()
    lowest = min(0.5, float(np.floor(10 * rows["value"].min()) / 10))
    for axes, ((representation, network), here) in zip(grid, groups, strict=False):
        values = here.pivot_table(index="trained_on", columns="tested_on", values="value")
        values = values.reindex(index=locales, columns=locales)
        image = axes.imshow(values, cmap=matplotlib.colormaps["cividis"], vmin=lowest, vmax=1)
        axes.set_title(f"{network} on {representation}", fontsize=10)
        axes.set_xticks(range(len(locales)), locales)
        axes.set_yticks(range(len(locales)), locales)
        axes.tick_params(length=0)
        axes.spines[:].set_visible(False)
        axes.set(xlabel="tested on", ylabel="trained on")
        for row in here.itertuples():
            _cell(axes, locales, row, lowest=lowest)
    if rows["few"].any():
        figure.supxlabel(
            "in brackets: fewer than ten speakers of a class", fontsize=9, color=GREY, x=0.5
        )
    figure.colorbar(image, ax=list(grid), shrink=0.6, pad=0.02)
    return figure


def _cell(axes: Axes, locales: list[str], row: Any, *, lowest: float) -> None:
    """Write value and interval where they can be read on the colour below."""
    value, low, high = row.value, row.low, row.high
    dark = (value - lowest) / (1 - lowest) < 0.55
    text = f"({value:.2f})" if row.few else f"{value:.2f}"
    x, y = locales.index(row.tested_on), locales.index(row.trained_on)
    ink: dict[str, Any] = {"color": "white" if dark else "black", "ha": "center", "va": "center"}
    axes.text(x, y - 0.12, text, fontsize=11, weight="bold", **ink)
    if low is not None and not np.isnan(low):
        axes.text(x, y + 0.24, f"{low:.2f} to {high:.2f}", fontsize=8, **ink)
