"""The look of all pictures, and how they are written."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import matplotlib.style
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from PIL import Image

from voicetraits.storage.files import whole_file

# Okabe and Ito's palette, distinct under every common colour blindness.
# Source: https://jfly.uni-koeln.de/color/
BLUE, ORANGE, GREEN, GREY = "#0072B2", "#E69F00", "#009E73", "#7F7F7F"
INK, PALE = "#262626", "#B5D8EC"

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
def message(text: str) -> Figure:
    """A picture that says why there is no picture."""
    figure = Figure(figsize=(9, 2))
    figure.text(0.5, 0.5, text, ha="center", va="center", fontsize=13, wrap=True)
    return figure


def headline(figure: Figure, text: str) -> None:
    figure.suptitle(text, x=0.01, ha="left")


def bars(axes: Axes, title: str, counts: pd.DataFrame, *, one_stage: bool = False) -> None:
    """Horizontal bars, pale before and dark after, with both counts in a column at the right."""
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
    axes.set_yticks(rows, counts.index)
    axes.set_xlim(0, max(counts.to_numpy().max(), 1))
    # Few bars stay slim instead of filling the panel.
    axes.set_ylim(max(len(counts), 5) - 0.4, -0.6)
    # Ticks of an axis of their own: the layout makes room for them, however long bars and counts.
    beside = axes.twinx()
    beside.spines[["left", "bottom"]].set_visible(False)
    beside.tick_params(length=0, labelsize=9)
    beside.set_ylim(axes.get_ylim())
    written = [
        f"{before:,}" if one_stage or before == after else f"{before:,} → {after:,}"
        for before, after in zip(counts["before"], counts["after"], strict=True)
    ]
    beside.set_yticks(rows, written)


def stages_legend(figure: Figure, before: str, after: str) -> None:
    """Say what the pale and the dark bars count, in the upper right corner."""
    handles = [Patch(color=PALE, label=before), Patch(color=BLUE, label=after)]
    figure.legend(handles=handles, loc="upper right", ncols=2, bbox_to_anchor=(1, 1))
