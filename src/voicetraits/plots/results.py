"""The picture of the results: every cell against its baselines and chance, in one look."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voicetraits.plots.style import BLUE, GREY, ORANGE, message, styled


class _Look(NamedTuple):
    """How one model is drawn in the picture of the results."""

    label: str
    colour: str
    ink: str  # for words, which need more contrast than marks
    marker: str
    size: float
    offset: float  # from the middle of the row, so that intervals do not hide each other

    @property
    def mark(self) -> dict[str, Any]:
        return {"color": self.colour, "marker": self.marker, "markersize": self.size}

    @property
    def words(self) -> dict[str, Any]:
        return {"color": self.ink, "ha": "center", "va": "center"}


_MODELS = {
    "cnn": _Look("CNN", BLUE, BLUE, "o", 9.0, -0.2),
    "linear": _Look("logistic\nregression", ORANGE, "#8A5F00", "D", 6.5, 0.08),
    "majority": _Look("majority\nclass", GREY, "#666666", "s", 5.0, 0.32),
}
_FIELDS = ["task", "cell", "model", "value", "low", "high", "status", "reason"]
_COLUMNS = (1.08, 1.22, 1.36)  # where each model's values stand, in widths of the panel


@styled
def results(rows: pd.DataFrame, *, languages: int) -> Figure:
    """Balanced accuracy of every cell: CNN, logistic regression and majority class.

    Args:
        rows: One row per cell and model, in the order to be shown: task ("gender" or "language"),
            cell ("es-features"; for language "features"), model ("cnn", "linear" or "majority"),
            value, low, high (the 95 % interval), status ("ok", "skipped" or "failed"), reason (why
            there are no values, or, of an "ok" cell, why they say little). One row is enough for a
            cell without values.
        languages: Number of classes of the language task; chance is one in that number.

    Returns:
        A panel per task with its chance line, and the values at the right.
    """
    rows = rows.reindex(columns=_FIELDS)  # cells without values may be alone
    chances = {"gender": 0.5, "language": 1 / languages}
    tasks = [task for task in chances if rows["task"].eq(task).any()]
    if not tasks:
        return message("no results yet")
    cells = {task: list(rows.loc[rows["task"].eq(task), "cell"].unique()) for task in tasks}

    # Laid out in inches, so that rows are as high with two cells as with twenty.
    above, gap, below, row_height = 1.3, 1.15, 0.6, 0.5
    panels = [row_height * len(cells[task]) for task in tasks]
    width, height = 10.0, above + sum(panels) + gap * (len(tasks) - 1) + below
    figure = Figure(figsize=(width, height))
    title = "Balanced accuracy on the test part, with 95 % intervals"
    figure.suptitle(title, x=0.25 / width, y=1 - 0.15 / height, ha="left", va="top")
    lowest = np.nanmin([*rows["low"].astype(float), *(chances[task] for task in tasks)])
    top = height - above
    for task, panel in zip(tasks, panels, strict=True):
        box = (1.75 / width, (top - panel) / height, 5.6 / width, panel / height)
        axes = figure.add_axes(box, xlim=(np.floor(10 * lowest - 0.3) / 10, 1))
        of_task = rows[rows["task"].eq(task)]
        axes.set_title(_verdict(task, of_task, chances[task]), pad=22)
        _forest(axes, of_task, cells[task], chance=chances[task])
        top -= panel + gap
    axes.set_xlabel("balanced accuracy (mean of the classes' recalls)")
    return figure


def _verdict(task: str, rows: pd.DataFrame, chance: float) -> str:
    cnn = rows[rows["model"].eq("cnn") & rows["status"].eq("ok")]
    if cnn.empty:
        return f"{task.capitalize()}: no cell could be trained"
    tells = cnn[cnn["reason"].eq("")]
    too_few = len(cnn) - len(tells)
    if tells.empty:
        return (
            f"{task.capitalize()}: too few test speakers to tell, in {too_few} of {too_few} cells"
        )
    above = int((tells["low"] > chance).sum())
    said = f"{task.capitalize()}: interval of the CNN above chance in {above} of {len(tells)} cells"
    return said + (f"; {too_few} with too few speakers to tell" if too_few else "")


def _forest(axes: Axes, rows: pd.DataFrame, cells: list[str], *, chance: float) -> None:
    """A row per cell, bands by locale, a column of values per model at the right."""
    axes.axvline(chance, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=0)
    axes.text(chance, -0.6, f"chance {chance:.2f}", color=GREY, fontsize=9, ha="center")
    beside = axes.get_yaxis_transform()  # x in shares of the panel, y in rows
    for x, look in zip(_COLUMNS, _MODELS.values(), strict=True):
        axes.plot(x, -1.33, clip_on=False, transform=beside, **look.mark)
        axes.text(x, -0.88, look.label, size=9, transform=beside, **look.words)

    locales = [cell.rpartition("-")[0] for cell in cells]
    names = list(dict.fromkeys(locales))
    for row, (cell, locale) in enumerate(zip(cells, locales, strict=True)):
        band = ("#F3F3F3", "white")[names.index(locale) % 2]
        axes.axhspan(row - 0.5, row + 0.5, color=band, linewidth=0, zorder=-1)
        if locales.index(locale) == row:
            axes.text(-0.27, row, locale, weight="bold", size=12, va="center", transform=beside)
        of_cell = rows[rows["cell"].eq(cell)]
        if (status := of_cell["status"].iloc[0]) != "ok":
            reason = f"{status}: {of_cell['reason'].iloc[0]}"
            box = {"facecolor": band, "edgecolor": "none", "pad": 1}
            axes.text(0.02, row, reason, color=GREY, va="center", transform=beside, bbox=box)
        else:
            _models(axes, row, of_cell.set_index("model"))
    axes.set_yticks(range(len(cells)), [cell.rpartition("-")[2] for cell in cells])
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(cells) - 0.5, -0.5)


def _models(axes: Axes, row: int, found: pd.DataFrame) -> None:
    """The marks, intervals and values of one cell."""
    for x, (model, look) in zip(_COLUMNS, _MODELS.items(), strict=True):
        value, low, high = found.loc[model, ["value", "low", "high"]].to_numpy()
        y = row + look.offset
        axes.plot([low, high], [y, y], color=look.colour, linewidth=2)
        axes.plot(value, y, markeredgecolor="white", **look.mark)
        axes.text(x, row, f"{value:.2f}", transform=axes.get_yaxis_transform(), **look.words)
