"""Panels by task and network, with one line per locale: the frame of several pictures."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from voicetraits.plots.style import BLUE, GREY, INK, ORANGE, headline

# Okabe and Ito's palette once more, as many as differ on white; markers tell them apart in print.
_COLOURS = (BLUE, ORANGE, "#009E73", "#D55E00", "#CC79A7", "#56B4E9")
_MARKERS = ("o", "s", "^", "D", "v", "P")
_ALL = {"color": INK, "marker": "*", "markersize": 10}  # of all locales together
_WIDTH = 10.0  # inches

Panel = tuple[Axes, pd.DataFrame]


def panels(
    rows: pd.DataFrame,
    *,
    title: str,
    height: float,
    below: float = 0.0,
) -> tuple[Figure, list[Panel]]:
    """A figure with a panel per task, representation and network that has rows.

    Args:
        rows: With columns task, locale, representation and network, at least one row.
        title: Of the figure.
        height: Of a row of panels, in inches.
        below: Further inches at the bottom, for long labels of the ticks.

    Returns:
        The figure, and its panels with their rows. A row of panels per task; a legend names the
        locales.
    """
    tasks = list(rows["task"].unique())
    networks = list(rows[["representation", "network"]].drop_duplicates().itertuples(index=False))
    size = (_WIDTH, 1.1 + below + height * len(tasks))
    figure = Figure(figsize=size, layout="constrained")
    headline(figure, title)
    grid = figure.subplots(len(tasks), len(networks), squeeze=False, sharex=True, sharey="row")
    found = []
    for task, line in zip(tasks, grid, strict=True):
        for (representation, network), axes in zip(networks, line, strict=True):
            here = rows[
                rows["task"].eq(task)
                & rows["representation"].eq(representation)
                & rows["network"].eq(network)
            ]
            if here.empty:
                axes.set_axis_off()
                continue
            axes.set_title(f"{task.capitalize()}: {network} on {representation}", fontsize=10)
            found.append((axes, here))
    _legend(figure, list(rows["locale"].unique()))
    return figure, found


def look(locale: str, locales: Sequence[str]) -> dict[str, Any]:
    """Colour, marker and its size (points) of a locale among those of the picture."""
    if locale == "all":
        return dict(_ALL)
    number = sorted({*locales} - {"all"}).index(locale) % len(_COLOURS)
    return {"color": _COLOURS[number], "marker": _MARKERS[number], "markersize": 6}


def by_locale(rows: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """The rows of every locale, all together last, on top of the others."""
    for locale in sorted(rows["locale"].unique(), key=lambda name: (name == "all", name)):
        yield str(locale), rows[rows["locale"].eq(locale)]


def edge_labels(found: Sequence[Panel], x: str, y: str) -> None:
    """Label the axes at the left and the lower edge of the picture."""
    for axes, _ in found:
        place = axes.get_subplotspec()
        assert place is not None
        if place.is_first_col():
            axes.set_ylabel(y)
        if place.is_last_row():
            axes.set_xlabel(x)
        axes.grid(color="#EEEEEE", linewidth=0.8)
        axes.set_axisbelow(True)


def guide(axes: Axes, *args: Any, **kwargs: Any) -> None:
    """A dashed line to compare with."""
    axes.plot(*args, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=1, **kwargs)


def _legend(figure: Figure, locales: list[str]) -> None:
    ordered = sorted(locales, key=lambda name: (name == "all", name))
    handles = [
        Line2D([], [], label="all locales" if name == "all" else name, **look(name, locales))
        for name in ordered
    ]
    figure.legend(handles=handles, loc="outside lower center", ncols=min(len(handles), 8))
