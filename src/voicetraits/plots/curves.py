"""Small pictures of one model: its loss by epoch, its ROC curves, its confusion."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from voicetraits.plots.style import BLUE, GREY, ORANGE, styled

Row = dict[str, Any]

_PARTS = {"training": (GREY, "--"), "validation": (BLUE, "-")}
_ESTIMATORS = {"linear": ("logistic regression", ORANGE), "network": ("network", BLUE)}
_LETTERS = 12  # of a class's name
_LETTERS_BELOW = 30  # of all names side by side
_MOST_POINTS = 200  # of a curve; more are seen by nobody, and make the page heavy


@styled
def loss_curves(rows: Sequence[Row]) -> Figure:
    """Loss by epoch, in training and validation.

    Args:
        rows: Of one model: epoch, part ("training" or "validation") and loss.
    """
    figure, axes = _small("epoch", "loss (nats)")
    for part, (colour, line) in _PARTS.items():
        points = [(row["epoch"], row["loss"]) for row in rows if row["part"] == part]
        if points:
            axes.plot(*zip(*points, strict=True), line, color=colour, linewidth=2, label=part)
    axes.set_ylim(bottom=0)
    axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
    axes.legend(fontsize=8)
    return figure


@styled
def roc_curves(rows: Sequence[Row]) -> Figure:
    """ROC curves of the network and the logistic regression, beside chance.

    Args:
        rows: Of one model: estimator, fpr and tpr, in the order of the curve.
    """
    figure, axes = _small("false positive rate", "true positive rate")
    axes.plot([0, 1], [0, 1], color=GREY, linestyle=(0, (4, 3)), linewidth=1)
    for estimator, (label, colour) in _ESTIMATORS.items():
        points = [(row["fpr"], row["tpr"]) for row in rows if row["estimator"] == estimator]
        if points:
            axes.plot(*zip(*thinned(points), strict=True), color=colour, linewidth=2, label=label)
    axes.set(xlim=(-0.02, 1.02), ylim=(-0.02, 1.02))
    axes.legend(fontsize=8, loc="lower right")
    return figure


def thinned(points: Sequence[tuple[float, float]]) -> list[tuple[float, float]]:
    """At most 200 points of a curve, evenly, first and last included.

    >>> points = [(n, n) for n in range(1000)]
    >>> kept = thinned(points)
    >>> len(kept), kept[0], kept[-1]
    (200, (0, 0), (999, 999))
    """
    kept = np.linspace(0, len(points) - 1, min(len(points), _MOST_POINTS)).round().astype(int)
    return [points[place] for place in kept]


@styled
def confusion_matrix(rows: Sequence[Row]) -> Figure:
    """Clips by their label and by what the network says, darker for a larger share of the label.

    Args:
        rows: Of one model: actual, predicted, clips and share (of the clips of that label).
    """
    names = list(dict.fromkeys(row["actual"] for row in rows))
    shares = np.zeros((len(names), len(names)))
    figure, axes = _small("predicted", "labelled")
    figure.set_layout_engine("constrained")  # names have any length
    for row in rows:
        y, x = names.index(row["actual"]), names.index(row["predicted"])
        shares[y, x] = row["share"]
        # Light or dark by its own cell, which looks the same on a dark page.
        ink = "white" if row["share"] > 0.75 else "#111111"
        text = f"{row['clips']:,}\n{row['share']:.0%}" if len(names) < 6 else f"{row['share']:.0%}"
        axes.text(x, y, text, color=ink, ha="center", va="center", fontsize=8)
    edges = np.arange(len(names) + 1) - 0.5
    axes.pcolormesh(edges, edges, shares, cmap="Blues", vmin=0, vmax=1.1)
    labels = [name if len(name) <= _LETTERS else f"{name[: _LETTERS - 1]}…" for name in names]
    upright = sum(map(len, labels)) > _LETTERS_BELOW
    axes.set_xticks(range(len(names)), labels, rotation=90 if upright else 0)
    axes.set_yticks(range(len(names)), labels)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.invert_yaxis()
    return figure


def _small(x: str, y: str) -> tuple[Figure, Axes]:
    """A small figure on a transparent ground, with one pair of axes."""
    figure = Figure(figsize=(3.6, 2.7))
    # Where room is made for numbers at once; to measure them takes as long as to draw them.
    figure.subplots_adjust(left=0.19, bottom=0.2, right=0.96, top=0.95)
    figure.patch.set_visible(False)
    axes = figure.add_subplot(xlabel=x, ylabel=y)
    axes.patch.set_visible(False)
    return figure, axes
