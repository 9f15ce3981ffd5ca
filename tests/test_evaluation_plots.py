"""The pictures of the evaluation show the numbers that they are given."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_hex
from matplotlib.figure import Figure
from matplotlib.text import Text

from voicetraits.plots.calibration import reliability, risk_coverage
from voicetraits.plots.panels import look
from voicetraits.plots.robustness import across, robustness
from voicetraits.plots.slices import slices
from voicetraits.plots.style import BLUE, save

pytestmark = pytest.mark.slow

LOCALES = ["es", "en", "fr", "de"]


def model(locale: str = "es", *, task: str = "gender", network: str = "original") -> dict[str, Any]:
    return {"task": task, "locale": locale, "representation": "mel", "network": network}


def texts(figure: Figure) -> list[str]:
    return [text.get_text() for text in figure.findobj(Text) if text.get_text()]


def lines(figure: Figure, panel: int = 0) -> list[list[float]]:
    """Heights of the lines of a panel, but for those to compare with."""
    drawn = figure.axes[panel].get_lines()
    return [list(line.get_ydata()) for line in drawn if line.get_linestyle() == "-"]


def robust_rows() -> pd.DataFrame:
    rows = [
        {**model(locale), "condition": condition, "value": value, "low": value - 0.1}
        for locale, values in (("es", (0.9, 0.6)), ("all", (0.8, 0.75)))
        for condition, value in zip(("as it is", "telephone"), values, strict=True)
    ]
    return pd.DataFrame(rows).assign(high=0.95, chance=0.5)


def test_every_model_has_a_line_over_the_conditions_in_their_order() -> None:
    figure = robustness(robust_rows())
    assert lines(figure) == [[0.9, 0.6], [0.8, 0.75]]
    ticks = [tick.get_text() for tick in figure.axes[0].get_xticklabels()]
    assert ticks == ["as it is", "telephone"]
    assert figure.axes[0].get_ylabel() == "balanced accuracy"
    assert {"es", "all locales"} <= set(texts(figure))


def test_a_panel_is_of_one_task_and_network() -> None:
    rows = robust_rows()
    other = rows.assign(task="language", network="tdnn", chance=0.25)
    figure = robustness(pd.concat([rows, other]))
    shown = [axes.get_title(loc="left") for axes in figure.axes if axes.axison]
    assert shown == ["Gender: original on mel", "Language: tdnn on mel"]


def test_locales_differ_in_colour_and_in_marker() -> None:
    looks = [look(name, LOCALES) for name in [*LOCALES, "all"]]
    assert len({each["color"] for each in looks}) == len({each["marker"] for each in looks}) == 5


def test_reliability_is_drawn_beside_the_diagonal() -> None:
    rows = pd.DataFrame(
        [{**model(), "confidence": x, "accuracy": y} for x, y in ((0.6, 0.5), (0.9, 0.7))]
    )
    figure = reliability(rows)
    assert lines(figure) == [[0.5, 0.7]]
    (diagonal,) = (line for line in figure.axes[0].get_lines() if line.get_linestyle() != "-")
    assert np.array_equal(diagonal.get_xdata(), diagonal.get_ydata())


def test_risk_is_drawn_by_coverage() -> None:
    rows = pd.DataFrame([{**model(), "coverage": x, "risk": x / 10} for x in (1.0, 0.5, 0.2)])
    figure = risk_coverage(rows)
    assert lines(figure)[0] == pytest.approx([0.02, 0.05, 0.1])


def across_rows(networks: int = 1) -> pd.DataFrame:
    rows = [
        {
            **model(network=f"net{number}"),
            "trained_on": one,
            "tested_on": other,
            "value": 0.95 if one == other else 0.6,
            "low": None if other == "fr" else 0.55,
            "high": None if other == "fr" else 0.99,
            "few": other == "fr",
        }
        for number in range(networks)
        for one in LOCALES
        for other in LOCALES
    ]
    return pd.DataFrame(rows)


def test_the_matrix_writes_every_value_and_brackets_those_of_few_speakers() -> None:
    figure = across(across_rows())
    image = figure.axes[0].get_images()[0].get_array()
    assert np.asarray(image).tolist() == (0.6 + 0.35 * np.eye(4)).tolist()
    written = [text.get_text() for text in figure.axes[0].texts]
    assert (written.count("0.95"), written.count("(0.95)")) == (3, 1)
    assert (written.count("0.60"), written.count("(0.60)")) == (9, 3)
    assert written.count("0.55 to 0.99") == 12
    assert "in brackets: fewer than ten speakers of a class" in texts(figure)


def test_matrices_of_three_networks_fit_the_width_of_a_page() -> None:
    figure = across(across_rows(3))
    assert figure.get_figwidth() < 11
    assert sum(bool(axes.get_images()) for axes in figure.axes) == 3


def slice_rows() -> pd.DataFrame:
    counts = {"clips": 1200, "speakers": 30, "chance": 0.5}
    return pd.DataFrame(
        [
            {"attribute": "age", "slice": "teens", "value": 0.9, "low": 0.8, "high": 1.0}
            | {"few": False, **counts},
            {"attribute": "age", "slice": "a$b$ " * 20, "value": 0.7, "low": None, "high": None}
            | {"few": True, **counts},
            {"attribute": "locale", "slice": "es", "value": 0.8, "low": 0.7, "high": 0.9}
            | {"few": False, **counts},
        ]
    )


def test_slices_of_few_speakers_are_hollow_and_counts_are_written() -> None:
    figure = slices(slice_rows(), name="a-model")
    dots = [line for line in figure.axes[0].get_lines() if line.get_marker() == "o"]
    assert [to_hex(dot.get_markerfacecolor()).upper() for dot in dots] == [BLUE, "#FFFFFF"]
    assert [float(dot.get_xdata()[0]) for dot in dots] == [0.9, 0.7]
    ticks = [tick.get_text() for axes in figure.axes for tick in axes.get_yticklabels()]
    assert ticks.count("1,200 clips, 30 speakers") == 3


PICTURES = {
    "robustness": lambda: robustness(robust_rows()),
    "across": lambda: across(across_rows(2)),
    "slices": lambda: slices(slice_rows(), name="a-model"),
}


@pytest.mark.parametrize("name", PICTURES)
def test_the_same_data_gives_the_same_bytes_and_no_text_is_cut_off(
    name: str, tmp_path: Path
) -> None:
    figure = PICTURES[name]()
    FigureCanvasAgg(figure).draw()
    width, height = figure.canvas.get_width_height()
    for text in figure.findobj(Text):
        if text.get_text() and text.get_visible():
            box = text.get_window_extent()
            assert box.x0 >= -1
            assert box.y0 >= -1
            assert box.x1 <= width + 1
            assert box.y1 <= height + 1
    for copy in ("a.png", "b.png"):
        save(PICTURES[name](), tmp_path / copy)
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()


@pytest.mark.parametrize("draw", [robustness, across, reliability, risk_coverage])
def test_no_rows_make_a_picture_that_says_so(draw: Any) -> None:
    assert any("no" in text for text in texts(draw(pd.DataFrame())))
    assert "nothing is known" in texts(slices(pd.DataFrame(), name="a-model"))[0]
