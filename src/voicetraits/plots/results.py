"""The picture of the results: every model against its baselines and chance, in one look."""

from __future__ import annotations

from textwrap import fill
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from voicetraits.plots.style import BLUE, GREEN, GREY, ORANGE, message, styled


class _Look(NamedTuple):
    """How one estimator is drawn in the picture of the results."""

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


_ESTIMATORS = {
    "network": _Look("network", BLUE, BLUE, "o", 9.0, -0.2),
    "linear": _Look("logistic\nregression", ORANGE, "#8A5F00", "D", 6.5, 0.08),
    "pitch": _Look("F0\nthreshold", GREEN, "#00704F", "^", 6.5, 0.24),
    "majority": _Look("majority\nclass", GREY, "#666666", "s", 5.0, 0.38),
}
_FIELDS = ["task", "model", "locale", "representation", "network", "estimator"]
_FIELDS += ["chance", "value", "low", "high", "status", "note"]
# Where the values of each estimator stand, in widths of the panel.
_COLUMNS = (1.075, 1.224, 1.373, 1.522)
_REASON_WIDTH = 90  # letters that a line of the panel holds


@styled
def results(rows: pd.DataFrame) -> Figure:
    """Balanced accuracy of every model: network and baselines.

    Args:
        rows: One row per model and estimator, in the order to be shown: task, model, locale,
            representation, network, estimator ("network", "linear", "pitch" or "majority"), value,
            low and high (the 95 % interval), chance, status ("ok", "skipped" or "failed"), note
            (why there are no values, or, of an "ok" row, why they say little). One row is enough
            for a model without values.

    Returns:
        A panel per task with its chance line, and the values at the right.
    """
    rows = rows.reindex(columns=_FIELDS)  # models without values may be alone
    panels = [of_task for _, of_task in rows.groupby("task", sort=False)]
    if not panels:
        return message("no results yet")
    # Laid out in inches, so that rows are as high with two models as with twenty.
    above, gap, below, row_height = 1.3, 1.15, 0.6, 0.5
    heights = [row_height * of_task["model"].nunique() for of_task in panels]
    width, height = 10.0, above + sum(heights) + gap * (len(panels) - 1) + below
    figure = Figure(figsize=(width, height))
    title = "Balanced accuracy on the test part, with 95 % intervals"
    figure.suptitle(title, x=0.25 / width, y=1 - 0.15 / height, ha="left", va="top")
    lowest = np.nanmin([*rows["low"].astype(float), *rows["chance"]])
    top = height - above
    for of_task, panel in zip(panels, heights, strict=True):
        box = (1.95 / width, (top - panel) / height, 5.05 / width, panel / height)
        axes = figure.add_axes(box, xlim=(np.floor(10 * lowest - 0.3) / 10, 1))
        axes.set_title(_verdict(of_task), pad=22)
        _forest(axes, of_task, several_networks=rows["network"].nunique() > 1)
        top -= panel + gap
    axes.set_xlabel("balanced accuracy (mean of the classes' recalls)")
    return figure


def _verdict(rows: pd.DataFrame) -> str:
    task = rows["task"].iloc[0].capitalize()
    networks = rows[rows["estimator"].eq("network") & rows["status"].eq("ok")]
    if networks.empty:
        return f"{task}: no model could be trained"
    tells = networks[networks["note"].eq("")]
    too_few = len(networks) - len(tells)
    if tells.empty:
        return f"{task}: too few test speakers to tell, in {too_few} of {too_few} models"
    above = int((tells["low"] > tells["chance"]).sum())
    said = f"{task}: whole interval above chance in {above} of {len(tells)} models"
    return said + (f"; {too_few} with too few speakers to tell" if too_few else "")


def _forest(axes: Axes, rows: pd.DataFrame, *, several_networks: bool) -> None:
    """A row per model, bands by locale, a column of values per estimator at the right."""
    models = rows.drop_duplicates("model")
    chance = models["chance"].iloc[0]
    axes.axvline(chance, color=GREY, linestyle=(0, (4, 3)), linewidth=1, zorder=0)
    axes.text(chance, -0.6, f"chance {chance:.2f}", color=GREY, fontsize=9, ha="center")
    beside = axes.get_yaxis_transform()  # x in shares of the panel, y in rows
    for x, look in zip(_COLUMNS, _ESTIMATORS.values(), strict=True):
        axes.plot(x, -1.33, clip_on=False, transform=beside, **look.mark)
        axes.text(x, -0.88, look.label, size=9, transform=beside, **look.words)

    locales = list(models["locale"])
    bands = list(dict.fromkeys(locales))
    for row, model in enumerate(models.itertuples()):
        band = ("#F3F3F3", "white")[bands.index(model.locale) % 2]
        axes.axhspan(row - 0.5, row + 0.5, color=band, linewidth=0, zorder=-1)
        if locales.index(model.locale) == row:
            axes.text(
                -0.34, row, str(model.locale), weight="bold", size=12, va="center", transform=beside
            )
        if model.status != "ok":
            reason = f"{model.status}: {model.note}"
            lines = fill(reason, _REASON_WIDTH, max_lines=2, placeholder=" …")
            box = {"facecolor": band, "edgecolor": "none", "pad": 1}
            axes.text(0.02, row, lines, color=GREY, size=9, va="center", transform=beside, bbox=box)
        else:
            _estimators(axes, row, rows[rows["model"] == model.model].set_index("estimator"))
    names = models["representation"]
    if several_networks:
        names = names + "\n" + models["network"]
    axes.set_yticks(range(len(models)), list(names))
    axes.tick_params(axis="y", length=0)
    axes.spines["left"].set_visible(False)
    axes.set_ylim(len(models) - 0.5, -0.5)


def _estimators(axes: Axes, row: int, found: pd.DataFrame) -> None:
    """The marks, intervals and values of one model."""
    for x, (estimator, look) in zip(_COLUMNS, _ESTIMATORS.items(), strict=True):
        value, low, high = found.loc[estimator, ["value", "low", "high"]].to_numpy()
        y = row + look.offset
        axes.plot([low, high], [y, y], color=look.colour, linewidth=2)
        axes.plot(value, y, markeredgecolor="white", **look.mark)
        axes.text(x, row, f"{value:.2f}", transform=axes.get_yaxis_transform(), **look.words)
