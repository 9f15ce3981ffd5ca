"""The plots of `dvc plots`: templates that DVC can fill and Vega can draw, on an offline page."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import vl_convert
from dvc_render import VegaRenderer
from dvc_render.html import HTML

from voicetraits.plots.page import main, plots_page

TEMPLATES = Path(__file__).parents[1] / ".dvc" / "plots"
MODELS = [f"gender-{locale}-{kind}" for locale in ("es", "en") for kind in ("features", "mel")]
OLDEST, *_, NEWEST = vl_convert.get_vegalite_versions()
REVISIONS = ("HEAD", "workspace")
AXES = {
    "history": ("epoch", "loss"),
    "roc": ("fpr", "tpr"),
    "confusion": ("predicted", "actual"),
    "results": ("value", "model"),
    "corpus": ("clips", "outcome"),
}
# Those that have a panel per model.
OF_MODELS = ("history", "roc", "confusion")


def rows_of(name: str) -> list[dict[str, Any]]:
    """One row per point of one model (or locale), as the summarise stage writes them."""
    if name == "history":
        return [
            {"epoch": epoch, "part": part, "loss": 1 / epoch}
            for epoch in (1, 2, 3)
            for part in ("training", "validation")
        ]
    if name == "roc":
        points = ((0, 0), (0, 0.6), (0.4, 0.9), (1, 1))
        return [
            {"estimator": estimator, "fpr": fpr, "tpr": tpr}
            for estimator in ("network", "linear")
            for fpr, tpr in points
        ]
    if name == "results":
        score = {"metric": "balanced_accuracy", "low": 0.6, "high": 0.9, "note": ""}
        return [
            {"estimator": "network", "value": 0.8, **score},
            {"estimator": "linear", "value": 0.7, **score},
            {"estimator": "network", "value": 0.1, **score, "metric": "loss"},
        ]
    if name == "corpus":
        return [
            {"locale": locale, "outcome": outcome, "reason": reason, "clips": clips}
            for locale in ("es", "en")
            for outcome, reason, clips in (
                ("converted", "", 4321),
                ("excluded", "silent", 7),
                ("excluded", "over the cap", 98),
            )
        ]
    counts = {("female", "female"): 1234, ("female", "male"): 66, ("male", "male"): 7}
    shares = {("female", "female"): 0.949, ("female", "male"): 0.051, ("male", "male"): 1.0}
    return [
        {
            "actual": actual,
            "predicted": predicted,
            "clips": clips,
            "share": shares[actual, predicted],
        }
        for (actual, predicted), clips in counts.items()
    ]


def renderer(name: str) -> VegaRenderer:
    """What `dvc plots diff` hands to dvc_render for two revisions."""
    x, y = AXES[name]
    points = [
        {"model": model, "task": "gender", **row, "rev": revision}
        for revision in REVISIONS
        for model in (MODELS[:1] if name == "corpus" else MODELS)
        for row in rows_of(name)
    ]
    return VegaRenderer(
        points,
        f"Gender, {name}",
        template=name,
        template_dir=str(TEMPLATES),
        x=x,
        y=y,
        x_label="the x label",
        y_label="the y label",
        title="The title",
        anchors_y_definitions=[{"filename": "plots/gender.json", "field": y}],
    )


def words(spec: dict[str, Any], version: str = NEWEST) -> list[str]:
    """All text of the drawn plot."""
    svg = vl_convert.vegalite_to_svg(spec, vl_version=version)
    return re.findall(r">([^<>]+)</t(?:ext|span)>", svg)


@pytest.mark.parametrize("name", AXES)
def test_a_template_has_the_anchors_that_dvc_fills(name: str) -> None:
    content = (TEMPLATES / f"{name}.json").read_text(encoding="utf-8")
    template = json.loads(content)
    assert template["data"] == {"values": "<DVC_METRIC_DATA>"}
    assert template["title"] == {"text": "<DVC_METRIC_TITLE>"}
    for anchor in ("X", "Y", "X_LABEL", "Y_LABEL"):
        assert f'"<DVC_METRIC_{anchor}>"' in content


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", AXES)
def test_every_model_and_revision_is_drawn(name: str, version: str) -> None:
    spec = renderer(name).get_filled_template()
    assert "<DVC_METRIC" not in json.dumps(spec)
    drawn = words(spec, version)
    assert {"The title", "the x label", "the y label", *REVISIONS} <= set(drawn)
    panels = ["es", "en"] if name == "corpus" else MODELS
    headers = list(dict.fromkeys(word for word in drawn if word in panels))
    assert headers == panels  # in the order of params.yaml, not of the alphabet


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
@pytest.mark.parametrize("name", OF_MODELS)
def test_every_value_is_drawn_below_the_header_of_its_model(name: str, version: str) -> None:
    x, y = AXES[name]
    points = [
        {"model": model, "task": "gender", **row, "rev": "HEAD", "clips": 501 + number}
        | ({y: (501 + number) / 1000} if name != "confusion" else {})
        for number, model in enumerate(MODELS)
        for row in rows_of(name)
    ]
    spec = VegaRenderer(
        points, name, template=name, template_dir=str(TEMPLATES), x=x, y=y
    ).get_filled_template()
    drawn = places(vl_convert.vegalite_to_svg(spec, vl_version=version))
    columns = {word: place[0] for word, place in drawn if word in MODELS}
    for number, model in enumerate(MODELS):
        value = f"{501 + number}" if name == "confusion" else f"{y}: {(501 + number) / 1000}"
        found = [place for word, place in drawn if value in word]
        assert found, value
        for across, _ in found:
            assert min(columns, key=lambda name: abs(columns[name] - across)) == model


def places(svg: str) -> list[tuple[str, tuple[float, float]]]:
    """Every text and every described mark, with where it is; the middle of the lines of marks."""
    found: list[tuple[str, tuple[float, float]]] = []

    def walk(element: ElementTree.Element, x: float, y: float) -> None:
        if move := re.match(r"translate\(([-\d.e]+),([-\d.e]+)\)", element.get("transform", "")):
            x, y = x + float(move[1]), y + float(move[2])
        if element.text and element.text.strip():
            found.append((element.text, (x, y)))
        if label := element.get("aria-label"):
            line = re.findall(r"(-?[\d.]+),(-?[\d.]+)", element.get("d", ""))
            xs, ys = ([float(point[axis]) for point in line] or [0.0] for axis in (0, 1))
            found.append((label, (x + sum(xs) / len(xs), y + sum(ys) / len(ys))))
        for child in element:
            walk(child, x, y)

    walk(ElementTree.fromstring(svg), 0, 0)
    return found


def test_training_and_validation_are_told_apart() -> None:
    assert {"training", "validation"} <= set(words(renderer("history").get_filled_template()))


def test_the_roc_has_one_chance_line_per_panel_and_names_both_estimators() -> None:
    spec = renderer("roc").get_filled_template()
    assert {"network", "logistic regression"} <= set(words(spec))
    svg = vl_convert.vegalite_to_svg(spec, vl_version=NEWEST)
    # A rule from corner to corner: both of its lengths are those of the panel.
    assert len(re.findall(r'x2="220" y2="-220"', svg)) == len(MODELS)


def test_confusion_matrices_show_clips_and_share_by_revision_side_by_side() -> None:
    drawn = words(renderer("confusion").get_filled_template())
    assert drawn.count("1,234") == drawn.count("95%") == len(MODELS) * len(REVISIONS)
    panels = [word for word in drawn if word in (*MODELS, *REVISIONS)]
    expected = [(model, revision) for model in MODELS for revision in REVISIONS]
    assert panels == [word for pair in expected for word in pair]


def test_classes_keep_their_order() -> None:
    ages = ("teens", "twenties", "fifties")
    points = [
        {"model": "age", "actual": actual, "predicted": predicted, "clips": 5, "share": 0.3}
        for actual in ages
        for predicted in ages
    ]
    spec = VegaRenderer(
        [{**point, "rev": "HEAD"} for point in points],
        "confusion",
        template="confusion",
        template_dir=str(TEMPLATES),
        x="predicted",
        y="actual",
    ).get_filled_template()
    drawn = [word for word in words(spec) if word in ages]
    assert drawn == [*ages, *ages]


@pytest.mark.parametrize("version", [OLDEST, NEWEST])
def test_a_task_of_many_classes_makes_no_other_panel_wider(version: str) -> None:
    def drawn(*models: int) -> str:
        points = [
            {"model": f"{number}", "actual": f"{a}", "predicted": f"{b}", "clips": 57, "share": 0.3}
            for number, classes in enumerate(models)
            for a in range(classes)
            for b in range(classes)
        ]
        spec = VegaRenderer(
            [{**point, "rev": "HEAD"} for point in points],
            "confusion",
            template="confusion",
            template_dir=str(TEMPLATES),
            x="predicted",
            y="actual",
        ).get_filled_template()
        return vl_convert.vegalite_to_svg(spec, vl_version=version)

    def width(svg: str) -> float:
        return float(re.search(r'<svg[^>]* width="([\d.]+)"', svg)[1])

    few, many = drawn(2, 2, 2, 2), drawn(2, 9, 2, 2)
    assert width(many) < 1.05 * width(few)
    # In small cells, the share alone is legible.
    assert (few.count(">57<"), many.count(">57<")) == (4 * 4, 3 * 4)
    assert many.count(">30%<") == 3 * 4 + 9 * 9


def history_words(losses: list[float]) -> list[str]:
    points = [
        {"model": "x", "epoch": epoch, "part": "validation", "loss": loss, "rev": "HEAD"}
        for epoch, loss in enumerate(losses, start=1)
    ]
    spec = VegaRenderer(
        points, "history", template="history", template_dir=str(TEMPLATES), x="epoch", y="loss"
    ).get_filled_template()
    return words(spec)


def test_one_spike_does_not_flatten_the_other_losses_and_its_height_is_told() -> None:
    drawn = history_words([0.9, 0.7, 500.0, 0.5, 0.4, 0.3, 0.3, 0.3])
    assert drawn.count("▲") == 1  # where the curve is cut
    assert "▲ up to 500" in drawn
    assert max(float(word) for word in drawn if re.fullmatch(r"\d+(\.\d+)?", word)) < 10


def test_the_first_epochs_of_a_model_that_learns_fast_are_no_spike() -> None:
    assert not [word for word in history_words([0.97, 0.4, 0.02] + [0.01] * 30) if "▲" in word]


def test_what_is_rare_can_be_read_beside_what_is_frequent() -> None:
    spec = renderer("corpus").get_filled_template()
    drawn = words(spec)
    assert {"converted", "excluded"} <= set(drawn)
    assert {"silent, es", "over the cap, en"} <= set(drawn)
    svg = vl_convert.vegalite_to_svg(spec, vl_version=NEWEST)
    bars = re.findall(r'clips: ([\d,]+); share[^>]*"bar" d="M0,[\d.]+h([\d.]+)', svg)
    longest = {clips: float(length) for clips, length in bars}
    assert longest.keys() == {"4,321", "7", "98"}
    # Every outcome has an axis of its own, a straight one: 98 clips are no sliver beside 4,321.
    assert longest["98"] > 0.5 * longest["4,321"]
    assert longest["7"] == pytest.approx(longest["98"] * 7 / 98)


def test_every_count_is_told_with_its_share_of_the_locale_and_by_revision() -> None:
    points = [
        {"model": "", "locale": locale, "outcome": outcome, "reason": "", "clips": clips} | rev
        for rev in ({"rev": "HEAD"}, {"rev": "workspace"})
        for locale, outcome, clips in (
            ("es", "converted", 3),
            ("es", "excluded", 1 if rev["rev"] == "HEAD" else 2),
            ("en", "converted", 1000),
        )
    ]
    spec = VegaRenderer(
        points, "corpus", template="corpus", template_dir=str(TEMPLATES), x="clips", y="outcome"
    ).get_filled_template()
    counts = [word for word in words(spec) if "%" in word]
    assert sorted(counts) == sorted(
        ["3 (75%)", "1 (25%)", "1,000 (100%)", "3 (60%)", "2 (40%)", "1,000 (100%)"]
    )


@pytest.mark.parametrize("name", AXES)
def test_a_template_can_be_drawn_in_the_vs_code_extension(name: str) -> None:
    """The extension takes the anchors that DVC splits off only where they are a whole value."""
    content, split = renderer(name).get_partial_filled_template()
    definitions = split["anchor_definitions"]
    if "<DVC_METRIC_COLOR>" in definitions:
        definitions["<DVC_METRIC_COLOR>"]["legend"] = None  # shown beside the plots there

    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(item) for key, item in value.items()}
        if isinstance(value, list):
            return [fill(item) for item in value]
        return definitions.get(value, value) if isinstance(value, str) else value

    spec = fill(content)
    assert "<DVC_METRIC" not in json.dumps(spec)
    assert "facet" in spec  # how the extension knows a plot that brings its own size
    assert "The title" in words(spec)


@pytest.fixture(scope="module")
def page() -> str:
    return plots_page()


def test_the_page_loads_nothing_from_a_network(page: str) -> None:
    assert "{scripts}" not in page  # where DVC would put its network addresses
    assert re.findall("<script[^>]*>", page) == ["<script>"]
    assert len(re.findall("</script", page)) == 1
    markup = re.sub("<script>.*</script>", "", page, flags=re.DOTALL)
    assert not re.search(r"(?:src|href|url|import)\b", markup)
    assert "window.vegaEmbed" in page


def test_dvc_can_fill_the_page(page: str) -> None:
    filling = HTML(page, refresh_seconds=7)
    filling.with_scripts(VegaRenderer.SCRIPTS).with_element(renderer("roc").generate_html())
    html = filling.embed()
    assert "vegaEmbed('#Gender__roc', spec)" in html
    assert '<meta http-equiv="refresh" content="7">' in html
    assert "{plot_divs}" not in html
    assert "cdn." not in html


def test_the_page_is_written_whole_into_a_new_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(vl_convert, "javascript_bundle", lambda snippet: "/* Vega */" + snippet)
    target = tmp_path / ".dvc" / "plots" / "page.html"
    main(str(target))
    assert "/* Vega */window.vegaEmbed" in target.read_text(encoding="utf-8")
    assert [path.name for path in target.parent.iterdir()] == ["page.html"]
