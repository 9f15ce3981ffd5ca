"""The page of all results: complete in itself, readable by machines, and silent about people."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path

import pytest
from conftest import COMMITTED, ROOT
from PIL import Image

from voicetraits.errors import InputError
from voicetraits.plots.style import message, save
from voicetraits.report import page as page_module
from voicetraits.report.page import FURTHER, page, read_pictures, write_page
from voicetraits.report.page_tables import ESTIMATORS, records_table, results_table
from voicetraits.report.provenance import State, machine, packages, repository_state

HOSTILE = '<script>alert("$x$")</script>&amp; id="run"'
VOID = {"meta", "img", "br", "link"}
STATE = State("0123456789" * 4, "2026-01-02T03:04:05+00:00", (), 0, 0)


class Parsed(HTMLParser):
    """A page as a reader's machine sees it; refuses tags that do not match."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.cells: list[tuple[str, str]] = []
        self.text = ""
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.tags.append((tag, found))
        self.ids += [found["id"]] if "id" in found else []
        if tag not in VOID:
            self.open.append(tag)
        if tag in ("td", "th"):
            self.cells.append((found.get("scope", ""), ""))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self.open and self.open[-1] in ("td", "th"):
            scope, text = self.cells[-1]
            self.cells[-1] = (scope, text + data)

    def attributes(self, tag: str) -> list[dict[str, str | None]]:
        return [found for name, found in self.tags if name == tag]


def record(model: str, estimator: str, metric: str, value: float, **more) -> dict:
    row = {"model": model, "task": "gender", "locale": "es", "representation": "features"}
    row |= {"network": "original", "estimator": estimator, "metric": metric, "class": ""}
    return {**row, "value": value, "low": None, "high": None, "chance": 0.5, "note": "", **more}


def write(folder: Path, name: str, content: object) -> None:
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content), encoding="utf-8")


@pytest.fixture
def project(tmp_path) -> Path:
    """A work tree with one trained model, one that was skipped, and hostile names."""
    folder = tmp_path / "project"
    score = {"low": 0.71, "high": 0.98, "note": HOSTILE}
    results = [
        record(HOSTILE, "network", "balanced_accuracy", 0.87, **score),
        record(HOSTILE, "network", "clips", 1234),
        record(HOSTILE, "network", "speakers", 56),
        record(HOSTILE, "linear", "balanced_accuracy", 0.79, low=0.6, high=0.9),
        record(HOSTILE, "another", "balanced_accuracy", 0.61, low=0.5, high=0.7),
        record("gender-en", "network", "skipped", 1, note="2 speakers, 3 needed"),
    ]
    write(folder, "metrics/results.json", results)
    corpus = [
        {"locale": "es", "outcome": "converted", "stage": "convert", "reason": "", "clips": 463},
        {"locale": "es", "outcome": "excluded", "stage": "select", "reason": HOSTILE, "clips": 17},
    ]
    write(folder, "metrics/corpus.json", corpus)
    label = {"locale": "es", "label": "female", "clips": 99, "speakers": 12}
    write(folder, "metrics/labels.json", [label])
    of_model = {"model": HOSTILE, "network": "original"}
    write(
        folder,
        "plots/history.json",
        [
            {**of_model, "epoch": epoch, "part": part, "loss": 1 / epoch}
            for part in ("training", "validation")
            for epoch in (1, 2, 3)
        ],
    )
    roc = [{**of_model, "estimator": "network", "fpr": x, "tpr": x**0.5} for x in (0, 0.5, 1)]
    write(folder, "plots/roc.json", roc)
    write(
        folder,
        "plots/confusion.json",
        [
            {**of_model, "actual": one, "predicted": other, "clips": 5, "share": 0.5}
            for one in ("male", HOSTILE)
            for other in ("male", HOSTILE)
        ],
    )
    for name in ("results", "explore/es/counts", "explore/es/example", "slices/by_age"):
        save(message(name), folder / f"plots/{name}.png")
    (folder / "params.yaml").write_text(f"# {HOSTILE}\nseed: 1\n", encoding="utf-8")
    return folder


@pytest.fixture
def parse(project) -> Callable[..., Parsed]:
    def parsed(state: State | None = STATE, **params) -> Parsed:
        return Parsed(page(project, COMMITTED.model_copy(update=params), state=state))

    return parsed


def test_every_model_has_its_row_with_intervals_baselines_and_notes(parse):
    cells = parse().cells
    start = cells.index(("row", HOSTILE))
    row = [text for _, text in cells[start : start + 7]]
    scores = ["0.87 (0.71 to 0.98)", "0.79 (0.60 to 0.90)", "0.61 (0.50 to 0.70)"]
    assert row == [HOSTILE, *scores, HOSTILE, "1,234", "56"]
    assert ("", "skipped: 2 speakers, 3 needed") in cells
    for name in (ESTIMATORS["network"], ESTIMATORS["linear"], "another"):
        assert ("col", name) in cells


def test_names_are_text_and_never_markup(parse):
    parsed = parse()
    assert "script" not in {tag for tag, _ in parsed.tags}
    assert parsed.text.count(HOSTILE) > 5
    # Within the drawings, too, where a long name is cut.
    assert f"{HOSTILE[:11]}…" in parsed.text


def test_ids_are_unique_and_what_is_referred_to_is_there(project, parse):
    parsed = parse()
    assert len(parsed.ids) == len(set(parsed.ids))
    text = page(project, COMMITTED, state=STATE)
    named = re.findall(r'href="#([^"]+)"', text) + re.findall(r"url\(#([^)]+)\)", text)
    named += re.findall(r'aria-labelledby="([^"]+)"', text)
    assert len(named) > 10
    assert set(named) <= set(parsed.ids)


def test_nothing_is_fetched(project):
    text = page(project, COMMITTED, state=STATE)
    assert "//" not in re.sub(r"data:image/png;base64,[\w+/=]+", "", text)
    sources = re.findall(r'(?:src|href)="([^"]+)"', text)
    assert all(source.startswith(("#", "data:image/png;base64,")) for source in sources)


def test_it_is_said_what_tables_and_pictures_are(parse):
    parsed = parse()
    tags = [tag for tag, _ in parsed.tags]
    assert tags.count("table") == tags.count("caption") > 5
    assert all(scope in ("row", "col") for scope in (th["scope"] for th in parsed.attributes("th")))
    assert all(found["alt"] for found in parsed.attributes("img"))
    drawings = parsed.attributes("svg")
    assert len(drawings) == 3
    assert all(found["role"] == "img" and found["aria-label"] for found in drawings)


def test_an_example_clip_is_not_shown(project, parse):
    before = len(parse().attributes("img"))
    (project / "plots/explore/es/example.png").unlink()
    assert before == len(parse().attributes("img")) == 3


def test_clips_and_speakers_are_not_named():
    rows = [{"clip": "common_voice_es_1.mp3", "speaker": "0a1b2c", "path": "x", "share": 0.5}]
    assert records_table("Slices", rows) == ("Slices", ["share"], [["0.500"]])
    nested = {"gender": {"speaker": "0a1b2c", "error": {"mean": 0.25}}, "points": [1, 2]}
    assert records_table("Slices", nested).rows == [["gender error mean", "0.250"]]


@pytest.mark.parametrize("name", FURTHER)
def test_what_is_measured_besides_appears_once_it_is_there(project, parse, name):
    assert name not in parse().ids
    write(project, f"metrics/{name}.json", [{"model": HOSTILE, "value": 0.123456, "note": None}])
    parsed = parse()
    assert name in parsed.ids
    assert ("", "0.123") in parsed.cells
    # A picture of that name stands there, and not once more elsewhere.
    assert len(parsed.attributes("img")) == 3


def test_a_long_table_is_cut_and_says_so():
    found = records_table("Slices", [{"value": number} for number in range(301)])
    assert (found.caption, len(found.rows)) == ("Slices (the first 300 of 301 rows)", 300)


def test_results_may_be_there_of_no_model_at_all():
    assert results_table([]).rows == []


def test_the_state_is_said(parse):
    text = " ".join(parse().text.split())
    assert f"Commit {STATE.commit} of 2026-01-02 03:04. Code and parameters were as comm" in text
    changed = STATE._replace(changed=("params.yaml", "src/a.py"), results=3, untracked=1)
    text = " ".join(parse(changed).text.split())
    assert "The work tree was changed: 2 tracked files differ from it." in text
    assert "3 files of results were not committed. 1 file was not tracked." in text
    assert "params.yaml" in text and "The commit alone may not give these results" in text
    assert "There was no Git commit to name." in parse(None).text


def test_synthetic_voices_are_said_to_be_synthetic(parse):
    said = "These are synthetic voices."
    assert said in parse().text
    corpus = COMMITTED.corpus.model_copy(update={"path": "/disk/corpus"})
    assert said not in parse(corpus=corpus).text


def test_too_many_pictures_are_left_out_and_counted(project, monkeypatch, parse):
    sizes = [path.stat().st_size for path in (project / "plots").rglob("*.png")]
    monkeypatch.setattr(page_module, "MOST_PICTURES", max(sizes) + 1)
    pictures, left_out = read_pictures(project / "plots")
    assert (len(pictures), left_out) == (1, 2)
    assert "to be found in plots/: 2 pictures." in " ".join(parse().text.split())


def test_a_page_of_the_most_that_it_draws_is_below_three_megabytes(project, monkeypatch):
    # As many models as it draws, with curves as fine as they can be, and the most pictures.
    curves = {
        name: json.loads((project / f"plots/{name}.json").read_text("utf-8"))
        for name in ("history", "confusion")
    }
    models = [f"gender-model-number-{number}" for number in range(page_module.MOST_MODELS + 2)]
    points = [n / 2000 for n in range(2001)]
    for name, rows in curves.items():
        write(project, f"plots/{name}.json", [{**r, "model": m} for m in models for r in rows])
    write(
        project,
        "plots/roc.json",
        [
            {"model": model, "estimator": estimator, "fpr": x, "tpr": x**0.3}
            for model in models
            for estimator in ("network", "linear")
            for x in points
        ],
    )
    results = [
        record(model, "network", "balanced_accuracy", 0.9, low=0.8, high=1.0) for model in models
    ]
    write(project, "metrics/results.json", results)
    noise = Image.effect_noise((1000, 1150), 90)
    for number in range(3):
        noise.save(project / f"plots/noise_{number}.png")
    text = page(project, COMMITTED, state=STATE)
    assert text.count("<svg") == 3 * page_module.MOST_MODELS
    assert "to be found in" in text
    assert len(text.encode()) < 3e6


@pytest.mark.parametrize("content", ["[", '{"a": 1}', "[1]"])
def test_a_broken_file_is_named(project, content):
    (project / "plots/roc.json").write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=r"plots/roc\.json: .*run `make repro`"):
        page(project, COMMITTED, state=STATE)


def test_the_same_state_gives_the_same_page(project):
    one, other = (page(project, COMMITTED, state=STATE) for _ in range(2))
    assert one == other


def test_the_committed_results_make_a_page(tmp_path, monkeypatch):
    monkeypatch.chdir(ROOT)
    size = write_page(COMMITTED, out=tmp_path / "report.html")
    text = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert size == len(text.encode()) < 3e6
    names = [found for scope, found in Parsed(text).cells if scope == "row"]
    models = json.loads((ROOT / "metrics/models.json").read_text(encoding="utf-8"))
    assert set(models) <= set(names)
    assert set(COMMITTED.locales) <= set(names)


@pytest.fixture
def repository(tmp_path) -> Path:
    """A Git repository with a file of parameters and one of results."""
    folder = tmp_path / "repository"
    write(folder, "params.yaml", 1)
    write(folder, "metrics/results.json", 1)
    git(folder, "init", "--quiet")
    git(folder, "add", ".")
    identity = ("-c", "user.name=N", "-c", "user.email=n@voicetraits.invalid")
    git(folder, *identity, "commit", "--quiet", "--message", "a step")
    return folder


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def test_inputs_results_and_untracked_files_are_told_apart(repository):
    found = repository_state(repository)
    assert found is not None
    assert found.commit == git(repository, "rev-parse", "HEAD").strip()
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(Z|[+-]\d\d:\d\d)", found.date)
    assert (found.changed, found.results, found.untracked) == ((), 0, 0)
    write(repository, "params.yaml", 2)
    write(repository, "metrics/results.json", 2)
    write(repository, "somebody.json", 2)
    found = repository_state(repository)
    assert found is not None
    assert (found.changed, found.results, found.untracked) == (("params.yaml",), 1, 1)


def test_a_folder_without_a_commit_has_no_state(tmp_path):
    assert repository_state(tmp_path) is None
    git(tmp_path, "init", "--quiet")
    assert repository_state(tmp_path) is None


def test_packages_and_machine_are_known_and_the_machine_keeps_its_name():
    assert {"keras", "jaxlib", "numpy"} <= set(packages())
    found = machine()
    assert set(found) == {"processor", "cores", "system", "Python"}
    assert all(found.values())
