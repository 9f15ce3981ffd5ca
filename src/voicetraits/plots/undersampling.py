"""The picture of what undersampling keeps."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from voicetraits.plots.style import BLUE, PALE, bars, headline, styled


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
    headline(figure, f"Undersampling keeps {said[0]}, from {said[1]}")
    for axes, what in zip(figure.subplots(1, 2), ("clips", "speakers"), strict=True):
        counts = rows.pivot_table(index="name", columns="stage", values=what, aggfunc="sum")
        counts = counts.reindex(index=names, columns=["before", "after"]).fillna(0).astype(int)
        bars(axes, f"{what.capitalize()}, by language and gender label", counts)
    for label, colour in (("before", PALE), ("after", BLUE)):
        figure.axes[0].bar(0, 0, color=colour, label=label)
    figure.legend(loc="upper right", ncols=2, bbox_to_anchor=(1, 1))
    return figure
