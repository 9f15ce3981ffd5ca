"""Pictures of how far probabilities can be trusted."""

from __future__ import annotations

from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from voicetraits.plots.panels import by_locale, edge_labels, guide, look, panels
from voicetraits.plots.style import message, styled

_LINE: dict[str, Any] = {"linewidth": 1.4, "markeredgecolor": "white", "markeredgewidth": 0.5}


@styled
def reliability(rows: pd.DataFrame) -> Figure:
    """Accuracy of the test clips against the probability of the class that was given.

    Args:
        rows: One per model and bin: task, locale, representation, network, confidence, accuracy.

    Returns:
        A panel per task and network, a line per locale; an honest model lies on the diagonal.
    """
    if rows.empty:
        return message("no calibration yet")
    figure, found = panels(rows, title="Are probabilities what they say?", height=3.2)
    locales = list(rows["locale"])
    lowest = max(0.0, float(rows[["confidence", "accuracy"]].min().min()) - 0.03)
    for axes, here in found:
        guide(axes, [lowest, 1], [lowest, 1])
        for locale, line in by_locale(here):
            axes.plot(
                line["confidence"],
                line["accuracy"],
                **_LINE,
                **look(locale, locales),
            )
        axes.set(xlim=(lowest, 1.015), ylim=(lowest, 1.03))
    edge_labels(found, "mean probability of the class given", "share that is right")
    return figure


@styled
def risk_coverage(rows: pd.DataFrame) -> Figure:
    """Share of wrong answers against the share of test clips that are answered.

    Args:
        rows: One per model and threshold: task, locale, representation, network, coverage, risk.
    """
    if rows.empty:
        return message("no calibration yet")
    title = "What it brings to answer only when sure"
    figure, found = panels(rows, title=title, height=2.8)
    locales = list(rows["locale"])
    for axes, here in found:
        for locale, line in by_locale(here):
            line = line.sort_values("coverage")
            axes.plot(
                line["coverage"],
                line["risk"],
                **_LINE,
                markevery=[-1],
                **look(locale, locales),
            )
        of_task = rows.loc[rows["task"].eq(here["task"].iloc[0]), "risk"]
        axes.set(xlim=(0, 1.02), ylim=(-0.005, max(0.05, 1.08 * float(of_task.max()))))
    edge_labels(found, "share of clips answered", "share of answers wrong")
    return figure
