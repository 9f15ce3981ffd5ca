"""The picture of what undersampling keeps."""

from __future__ import annotations

import pandas as pd
from matplotlib.figure import Figure

from voicetraits.plots.style import bars, headline, message, stages_legend, styled


@styled
def undersampling(table: pd.DataFrame, *, given: str) -> Figure:
    """Clips and speakers of every class that undersampling was given, and those that it kept.

    Args:
        table: Columns class, perhaps a second label beside it, stage ("before"
            or "after"), clips, speakers; rows in the order to be shown.
        given: The part that undersampling was given, or "all parts"; for title and labels.
    """
    if table.empty:
        return message(f"undersampling was given no clips of {given}")
    *keys, _, _, _ = table.columns
    rows = table.assign(name=table[keys].agg("  ".join, axis=1))
    names = list(rows["name"].unique())
    counts = {
        what: rows.pivot_table(index="name", columns="stage", values=what, aggfunc="sum")
        .reindex(index=names, columns=["before", "after"])
        .fillna(0)
        .astype(int)
        for what in ("clips", "speakers")
    }
    figure = Figure(figsize=(11, 1.6 + 0.36 * len(names)), layout="constrained")
    before, after = counts["clips"].sum()
    headline(figure, f"Undersampling keeps {after:,} of {before:,} clips of {given}")
    for axes, what in zip(figure.subplots(1, 2), counts, strict=True):
        bars(axes, f"{what.capitalize()} of {given}", counts[what])
    stages_legend(figure, "before", "after")
    return figure
