"""One page with all results, complete in itself: it opens without a network and needs no script."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Sequence
from functools import reduce
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, StrictUndefined
from markupsafe import Markup

from voicetraits.errors import InputError
from voicetraits.params import Params
from voicetraits.plots.curves import confusion_matrix, loss_curves, roc_curves
from voicetraits.plots.svg import inline_svg
from voicetraits.report import page_tables
from voicetraits.report.page_tables import Table
from voicetraits.report.provenance import State, machine, packages, repository_state
from voicetraits.report.results import Record, read_results
from voicetraits.storage.files import whole_file

TEMPLATE = Path(__file__).with_name("page.html.j2")
# What tells most about a run; all others are in params.yaml, which the page holds whole.
MATTER = (
    *("seed", "locales", "representations", "networks", "frames.representations"),
    *("frames.networks", "corpus.path", "corpus.splits", "clip.seconds", "split.test"),
    *("split.validation", "protocol.split_by", "protocol.undersample", "protocol.scale"),
    "train.epochs",
)
# Files of metrics/ that hold more than the table of results, with their headings.
FURTHER = {
    "robustness": "Robustness: the same clips under other conditions",
    "across": "Across languages: models on the test clips of other locales",
    "slices": "Slices: results by what else is known of a clip",
    "calibration": "Calibration: how far probabilities can be trusted",
}
# Bytes of pictures and number of models drawn, which keep the page below 3 MB.
MOST_PICTURES, MOST_MODELS = 1_200_000, 40


class Picture(NamedTuple):
    """A PNG within the page."""

    group: str  # the file or folder in plots/ that it comes from
    alt: str
    source: str  # data URI


class Drawing(NamedTuple):
    """An SVG within the page."""

    caption: str
    svg: Markup


class Section(NamedTuple):
    """What a further file of metrics/ holds, with its pictures."""

    name: str
    title: str
    table: Table
    pictures: list[Picture]


def write_page(params: Params, *, out: Path) -> int:
    """Write the page of what metrics/ and plots/ hold; return its size in bytes.

    Args:
        params: As params.yaml declares them, which has to be there, too.
        out: The page.

    Raises:
        InputError: If there are no results, or a file of them cannot be read.
    """
    text = page(Path(), params, state=repository_state(Path()))
    with whole_file(out) as partial:
        partial.write_text(text, encoding="utf-8")
    return out.stat().st_size


def page(folder: Path, params: Params, *, state: State | None) -> str:
    """The page of a work tree, as HTML.

    Args:
        folder: With params.yaml, metrics/ and plots/.
        params: As params.yaml declares them.
        state: Of the repository, where there is one.
    """
    results = read_results(folder / "metrics/results.json")
    corpus, labels = (_records(folder / f"metrics/{name}.json") for name in ("corpus", "labels"))
    pictures, left_out = read_pictures(folder / "plots")
    further = [
        Section(name, title, page_tables.records_table(title, content), of_name)
        for name, title in FURTHER.items()
        if (content := _read(folder / f"metrics/{name}.json"))
        for of_name in [[picture for picture in pictures if picture.group == name]]
    ]
    shown = {"results", "explore", "undersampling", *(section.name for section in further)}
    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    return environment.from_string(TEMPLATE.read_text(encoding="utf-8")).render(
        state=state,
        synthetic=Path(params.corpus.path) == Path("data/sample"),
        parameters=Table("Parameters that matter most", ["parameter", "value"], _matter(params)),
        all_parameters=(folder / "params.yaml").read_text(encoding="utf-8"),
        corpus=page_tables.corpus_tables(corpus, labels),
        results=page_tables.results_table(results),
        figures=page_tables.figures_table(results),
        further=further,
        pictures=pictures,
        other_pictures=[picture for picture in pictures if picture.group not in shown],
        left_out=left_out,
        drawings=_drawings(folder / "plots", list(page_tables.by_model(results))),
        most_models=MOST_MODELS,
        packages=Table("Packages", ["package", "version"], _pairs(packages())),
        machine=Table("Machine", ["part", "what it is"], _pairs(machine())),
    )


def _matter(params: Params) -> list[list[str]]:
    values = ((key, reduce(getattr, key.split("."), params)) for key in MATTER)
    return [
        [key, ", ".join(value) or "none" if isinstance(value, list) else str(value)]
        for key, value in values
    ]


def _pairs(found: dict[str, str]) -> list[list[str]]:
    return [[name, value] for name, value in found.items()]


def read_pictures(plots: Path) -> tuple[list[Picture], int]:
    """All PNGs below plots/ but the examples, which show a clip; and how many were too many.

    Args:
        plots: The folder.
    """
    pictures, left_out, size = [], 0, 0
    for path in sorted(plots.rglob("*.png")):
        parts = path.relative_to(plots).with_suffix("").parts
        if parts[0] == "explore" and parts[-1] != "counts":
            continue
        content = path.read_bytes()
        if size + len(content) > MOST_PICTURES:
            left_out += 1
            continue
        size += len(content)
        source = f"data:image/png;base64,{b64encode(content).decode()}"
        pictures.append(Picture(parts[0], _alt(parts), source))
    return pictures, left_out


def _alt(parts: Sequence[str]) -> str:
    """What a picture shows, by its place in plots/."""
    match parts:
        case ("results",):
            return "Balanced accuracy of every model with its interval, as in the table of results"
        case ("explore", locale, _):
            return f"Clips and speakers of {locale} by label, age, accent and duration"
        case ("undersampling", model):
            return f"What undersampling kept of the clips of {model}"
        case _:
            return ", ".join(part.replace("_", " ") for part in parts)


def _drawings(plots: Path, models: Sequence[str]) -> dict[str, list[Drawing]]:
    """Learning curves, ROC and confusion of every model that has them."""
    kinds = (
        ("history", "Loss by epoch", loss_curves),
        ("roc", "ROC curve on the test part", roc_curves),
        ("confusion", "Confusion on the test part: clips and share of the label", confusion_matrix),
    )
    found: dict[str, list[Drawing]] = {}
    for name, caption, draw in kinds:
        of_model = page_tables.by_model(_records(plots / f"{name}.json"))
        for number, model in enumerate(models[:MOST_MODELS]):
            if rows := of_model.get(model):
                label = f"{caption}, {model}: {_summary(name, rows)}"
                svg = inline_svg(draw(rows), label=label, prefix=f"{name}-{number}")
                found.setdefault(model, []).append(Drawing(caption, Markup(svg)))
    return {model: found[model] for model in models if model in found}


def _summary(name: str, rows: Sequence[Record]) -> str:
    """A picture in words, for those who do not see it."""
    if name == "history":
        last = {row["part"]: row for row in rows}
        ends = (
            f"{part} ends at {row['loss']} after {row['epoch']} epochs"
            for part, row in last.items()
        )
        return "; ".join(ends)
    if name == "confusion":
        right = [row for row in rows if row["actual"] == row["predicted"]]
        return "; ".join(f"{row['share']:.0%} of {row['actual']} is predicted so" for row in right)
    return "true positive rate against false positive rate"


def _records(path: Path) -> list[Record]:
    """A list of records; empty where there is no such file.

    Raises:
        InputError: If the file holds anything else.
    """
    content = _read(path) or []
    if not (isinstance(content, list) and all(isinstance(row, dict) for row in content)):
        raise InputError(f"{path}: no list of records; delete it and run `make repro`")
    return content


def _read(path: Path) -> Any:
    """The content of a JSON file; nothing where there is none.

    Raises:
        InputError: If it cannot be read.
    """
    if not path.exists():
        return None
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read ({error}); run `make repro`") from error
