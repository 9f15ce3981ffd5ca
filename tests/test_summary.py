"""The summary: only declared cells, nothing lost, and rows that the plots can draw."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, replace_training, split_and_arrays
from matplotlib.text import Text
from sklearn.metrics import balanced_accuracy_score

from stages.summarise import undersampling_picture, write_json
from voicetraits.errors import InputError
from voicetraits.evaluation.intervals import balanced_accuracy_interval
from voicetraits.networks.model_folder import LIVE, PREDICTIONS, SIDECAR
from voicetraits.plots.results import results
from voicetraits.report import tables as summary
from voicetraits.report.models import Predictions, declared_cells, read_predictions
from voicetraits.tasks import GENDER, language
from voicetraits.training.run import run_cell

LOCALES = ["es", "en"]
SPEAKERS = {
    ("es", "male"): 12,
    ("es", "female"): 6,
    ("es", ""): 2,
    ("en", "male"): 10,
    ("en", "female"): 1,  # too few: the gender cells of this locale are skipped
}
REASON = "10 male, 1 female speakers, 4 of each needed"


@pytest.fixture(scope="module")
def params(edited_params):
    return edited_params(
        locales=LOCALES,
        representations=["features", "spectrogram"],
        split={"test": 0.3, "validation": 0.2, "min_speakers": 4},
        protocol={"split_by": "speaker", "undersample": "training", "scale": "training"},
    )


@pytest.fixture(scope="module")
def models(params, tmp_path_factory):
    """All declared cells, run; beside them stale ones that nobody declares any more."""
    folder = tmp_path_factory.mktemp("summary")
    models = folder / "models"
    for stale in ("gender/fr-features", "gender/es-mfcc", "language/mfcc", "gender/.es.partial"):
        (models / stale).mkdir(parents=True)
    for cell in declared_cells(params, models=models):
        own = [cell.locale] if cell.task is GENDER else LOCALES
        speakers = {place: count for place, count in SPEAKERS.items() if place[0] in own}
        split, folders = split_and_arrays(
            cell.task, params, folder / "arrays" / cell.task.name / cell.name, speakers=speakers
        )
        with pytest.MonkeyPatch.context() as patch:
            replace_training(patch)
            run_cell(
                cell.task,
                split,
                folders,
                params,
                representation=cell.representation,
                label=cell.name,
                out=cell.folder,
            )
    return models


@pytest.fixture(scope="module")
def cells(params, models):
    declared = declared_cells(params, models=models)
    return {f"{cell.task.name}/{cell.name}": cell for cell in declared}


@pytest.fixture(scope="module")
def metrics(cells):
    return {
        cell: summary.cell_metrics(cell, read_predictions(cell), seed=1) for cell in cells.values()
    }


def test_the_declared_cells_are_read_and_no_stale_ones(cells, models):
    assert list(cells) == [
        "gender/es-features",
        "gender/es-spectrogram",
        "gender/en-features",
        "gender/en-spectrogram",
        "language/features",
        "language/spectrogram",
    ]
    for name, cell in cells.items():
        assert cell.folder == models / name
    assert cells["language/features"].task == language(LOCALES)
    assert cells["language/features"].locale == "all"


def test_a_skipped_cell_carries_its_reason_in_place_of_metrics(cells, metrics):
    skipped = cells["gender/en-features"]
    assert skipped.without_figures == {"skipped": REASON}
    assert metrics[skipped] == {m: {"skipped": REASON} for m in ("cnn", "linear", "majority")}
    assert cells["gender/es-features"].without_figures == {}
    assert read_predictions(skipped) == {}


def test_the_metrics_are_those_of_the_predictions(cells, metrics):
    for name in ("gender/es-features", "language/spectrogram"):
        cell = cells[name]
        table = pd.read_parquet(cell.folder / PREDICTIONS)
        for model in ("cnn", "linear", "majority"):
            rows = table[table["model"] == model]
            predicted = rows[list(cell.task.classes)].idxmax(axis=1)
            expected = balanced_accuracy_score(rows["label"], predicted)
            found = metrics[cell][model]
            assert found["balanced_accuracy"] == pytest.approx(expected, abs=0.00005001)
            assert found["low"] <= found["balanced_accuracy"] <= found["high"]
            assert found["clips"] == len(rows)
            assert found["speakers"] == rows["speaker"].nunique()
            by_class = rows.groupby("label")["speaker"].nunique()
            assert found["speakers_by_class"] == by_class.to_dict()
            assert found["collapsed"] == (predicted.nunique() == 1)
        assert metrics[cell]["majority"]["collapsed"] == 1
        assert metrics[cell]["cnn"]["collapsed"] == 0
    assert json.loads(json.dumps(list(metrics.values()), allow_nan=False))


def test_the_interval_draws_speakers_and_not_clips(cells):
    cell = cells["gender/es-features"]
    labels, probabilities, speakers = read_predictions(cell)["linear"]
    # As where the clips of a speaker stand and fall together.
    right = np.isin(speakers, np.unique(speakers)[::2])
    probabilities = np.where((labels == right)[:, None], [0.2, 0.8], [0.8, 0.2])
    predictions = {"cnn": Predictions(labels, probabilities, speakers)}
    found = summary.cell_metrics(cell, predictions, seed=1)["cnn"]
    of_speakers, of_clips = (
        balanced_accuracy_interval(labels, probabilities.argmax(axis=1), unit, cell.task, seed=1)
        for unit in (speakers, np.arange(len(labels)))
    )
    assert (found["low"], found["high"]) == of_speakers
    assert of_speakers[1] - of_speakers[0] > 1.2 * (of_clips[1] - of_clips[0])


@pytest.fixture
def copied(cells, tmp_path):
    """A trained cell in a folder of its own, to be spoiled."""
    cell = replace(cells["gender/es-features"], folder=tmp_path / "cell")
    shutil.copytree(cells["gender/es-features"].folder, cell.folder)
    return cell


def test_a_failed_cell_carries_its_reason_and_no_figure(copied):
    sidecar = json.loads((copied.folder / SIDECAR).read_text(encoding="utf-8"))
    sidecar["failed"] = "the training loss is nan"
    (copied.folder / SIDECAR).write_text(json.dumps(sidecar), encoding="utf-8")
    reason = {"failed": "the training loss is nan"}
    assert copied.without_figures == reason
    assert read_predictions(copied) == {}
    metrics = summary.cell_metrics(copied, {}, seed=1)
    assert metrics == dict.fromkeys(("cnn", "linear", "majority"), reason)
    (row,) = summary.result_rows(copied, metrics)
    assert (row["status"], row["reason"]) == ("failed", "the training loss is nan")
    counts = summary.headline({copied: metrics}, [])
    assert counts["cells"] == {"trained": 0, "skipped": 0, "failed": 1, "collapsed": 0}
    assert "gender" not in counts


def drop_a_clip(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(index=table.index[0])


def swap_two_labels(table: pd.DataFrame) -> pd.DataFrame:
    return table.assign(label=table["label"].to_numpy()[::-1])


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (drop_a_clip, "the clips of cnn are not those of the test part"),
        (lambda table: pd.concat([table, table.iloc[:1]]), "not those of the test part"),
        (swap_two_labels, "the clips of cnn are not those of the test part"),
        (lambda table: table[table["model"] != "linear"], "the clips of linear are not"),
        (lambda table: table.assign(male=np.nan), "no probability"),
        (lambda table: table.assign(male=0.9, female=0.9), "no probability"),
        (lambda table: table.assign(male=-0.5, female=1.5), "no probability"),
    ],
)
def test_predictions_of_another_test_part_or_of_no_sense_are_refused(copied, spoil, why):
    path = copied.folder / PREDICTIONS
    table = pd.read_parquet(path).reset_index(drop=True)
    spoil(table).to_parquet(path)
    with pytest.raises(InputError, match=why) as refused:
        read_predictions(copied)
    assert str(path) in str(refused.value)


def test_a_cell_trained_for_other_languages_is_refused(params, models, cells):
    fewer = params.model_copy(update={"locales": ["es", "fr"]})
    stale = declared_cells(fewer, models=models)[-1]
    with pytest.raises(InputError, match=r"tells en, es apart .* declares es, fr by"):
        read_predictions(stale)


def test_numbers_that_are_none_are_not_written(tmp_path):
    for content in ({"loss": np.nan}, [{"loss": np.inf}]):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "metrics.json", content)
    assert not list(tmp_path.iterdir())


def test_the_headline_counts_skipped_cells_and_leaves_them_out_of_the_means(cells, metrics):
    corpus = [
        {"locale": "es", "outcome": "converted", "clips": 70},
        {"locale": "es", "outcome": "put aside", "clips": 1},
        {"locale": "en", "outcome": "converted", "clips": 40},
        {"locale": "en", "outcome": "excluded", "clips": 5},
        {"locale": "en", "outcome": "excluded", "clips": 4},
    ]
    found = summary.headline(metrics, corpus)

    def cnn(name: str) -> float:
        return metrics[cells[name]]["cnn"]["balanced_accuracy"]

    assert found["gender"] == {
        "feat": cnn("gender/es-features"),
        "spec": cnn("gender/es-spectrogram"),
    }
    assert found["language"]["feat"] == cnn("language/features")
    assert found["cells"] == {"trained": 4, "skipped": 2, "failed": 0, "collapsed": 0}
    assert found["clips"] == {"excluded": 9, "put_aside": 1, "converted": 110}


def test_the_headline_takes_the_mean_over_the_trained_cells_and_counts_collapsed_ones(cells):
    names = [f"gender/{x}" for x in ("es-features", "en-features", "es-spectrogram")]
    names.append("gender/en-spectrogram")
    made = [
        {"cnn": {"balanced_accuracy": 0.9, "collapsed": 0}},
        {"cnn": {"balanced_accuracy": 0.5, "collapsed": 1}},
        {"cnn": {"skipped": "no"}},
        {"cnn": {"failed": "no"}},
    ]
    found = summary.headline({cells[n]: m for n, m in zip(names, made, strict=True)}, [])
    assert found["gender"] == {"feat": 0.7}
    assert found["cells"] == {"trained": 2, "skipped": 1, "failed": 1, "collapsed": 1}


def index_table(*notes: str) -> pd.DataFrame:
    return pd.DataFrame({"note": notes}, dtype=str)


def clip_table(*excluded: str) -> pd.DataFrame:
    return pd.DataFrame({"excluded": excluded}, dtype=str)


def test_every_row_of_the_corpus_is_accounted_for():
    clips = clip_table("", "", "", "", "over the cap", "no gender", "over the cap")
    clips = pd.concat([clips, clip_table("", "", "")])
    aside = pd.DataFrame({"clip": ["a", "b"], "reason": ["empty file", "no samples"]})
    rows = summary.corpus_rows("es", clips, index_table("", "late", "", "late", "both"), aside)
    assert [(row["outcome"], row["reason"], row["clips"]) for row in rows] == [
        ("converted", "", 2),
        ("converted", "both", 1),
        ("converted", "late", 2),
        ("put aside", "empty file", 1),
        ("put aside", "no samples", 1),
        ("excluded", "no gender", 1),
        ("excluded", "over the cap", 2),
    ]
    assert summary.headline({}, rows)["clips"] == {"excluded": 3, "put_aside": 2, "converted": 5}
    json.dumps(rows)


@pytest.mark.parametrize("converted", [1, 3])
def test_a_clip_that_was_lost_or_made_up_is_an_error_that_names_the_locale(converted):
    aside = pd.DataFrame({"clip": [], "reason": []}, dtype=str)
    with pytest.raises(ValueError, match="es: 3 clips listed"):
        summary.corpus_rows(
            "es", clip_table("", "", "too long"), index_table(*[""] * converted), aside
        )


def test_a_locale_without_any_clips_adds_up_to_nothing():
    aside = pd.DataFrame({"clip": [], "reason": []}, dtype=str)
    rows = summary.corpus_rows("es", clip_table(), index_table(), aside)
    assert [row["clips"] for row in rows] == [0]


def test_the_history_has_every_epoch_of_both_parts(cells):
    rows = summary.history_rows(cells["gender/es-features"])
    assert [(row["part"], row["epoch"]) for row in rows] == [
        (part, epoch) for part in ("training", "validation") for epoch in (1, 2, 3)
    ]
    assert [row["loss"] for row in rows] == [0.5, 0.25, 0.1667, 0.75, 0.375, 0.25]
    assert [row["accuracy"] for row in rows[:2]] == [0.5, 0.25]
    assert rows[0]["cell"] == "es-features"


def test_curves_of_unequal_length_are_an_error(cells, tmp_path):
    cell = replace(cells["gender/es-features"], folder=tmp_path / "cell")
    shutil.copytree(cells["gender/es-features"].folder, cell.folder)
    path = cell.folder / LIVE / "plots" / "metrics" / "validation" / "loss.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="longer"):
        summary.history_rows(cell)


def test_the_roc_curves_are_those_of_the_two_models_and_of_their_figures(cells, metrics):
    cell = cells["gender/es-features"]
    rows = summary.roc_rows(cell, read_predictions(cell))
    assert list(dict.fromkeys(row["model"] for row in rows)) == ["cnn", "linear"]
    for model in ("cnn", "linear"):
        points = [(row["fpr"], row["tpr"]) for row in rows if row["model"] == model]
        assert (points[0], points[-1]) == ((0, 0), (1, 1))
        area = np.trapezoid(*zip(*((tpr, fpr) for fpr, tpr in points), strict=True))
        assert area == pytest.approx(metrics[cell][model]["roc_auc"], abs=5e-4)
        assert area != pytest.approx(0.5, abs=0.05)  # where the other class has the same


def test_the_confusion_matrix_is_that_of_the_cnn(cells, metrics):
    cell = cells["gender/es-features"]
    rows = summary.confusion_rows(cell, read_predictions(cell))
    assert sum(row["clips"] for row in rows) == metrics[cell]["cnn"]["clips"]
    recalls = [row["share"] for row in rows if row["actual"] == row["predicted"]]
    assert np.mean(recalls) == pytest.approx(metrics[cell]["cnn"]["balanced_accuracy"], abs=1e-4)


def fields_of(node) -> set[str]:
    """Every field that a Vega-Lite specification reads from the data it is given."""
    read, made = set(), {"rev"}  # DVC adds the revision

    def walk(node):
        if isinstance(node, dict):
            read.update(v for k, v in node.items() if k == "field" and isinstance(v, str))
            made.update(v for k, v in node.items() if k == "as" and isinstance(v, str))
            for value in node.values():
                walk(value)
        elif isinstance(node, list):
            for value in node:
                walk(value)

    walk(node)
    return {field for field in read if not field.startswith("<")} - made


def drawn() -> dict[str, dict]:
    """What dvc.yaml draws: each JSON file with its template and axes."""
    stages = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {path: spec for plot in stages["summarise"]["plots"] for path, spec in plot.items()}


@pytest.mark.parametrize(
    ("path", "rows_of"),
    [
        ("plots/gender_history.json", lambda cell, _: summary.history_rows(cell)),
        ("plots/gender_roc.json", summary.roc_rows),
        ("plots/gender_confusion.json", summary.confusion_rows),
        ("plots/language_history.json", lambda cell, _: summary.history_rows(cell)),
        ("plots/language_confusion.json", summary.confusion_rows),
    ],
)
def test_the_rows_have_every_field_that_their_plot_reads(cells, path, rows_of):
    spec = drawn()[path]
    template = (ROOT / ".dvc" / "plots" / f"{spec['template']}.json").read_text(encoding="utf-8")
    needed = fields_of(json.loads(template)) | {spec["x"], spec["y"]}
    assert {"locale", "representation"} <= needed
    task = path.removeprefix("plots/").partition("_")[0]
    for cell in cells.values():
        if cell.task.name == task and not cell.without_figures:
            for row in rows_of(cell, read_predictions(cell)):
                assert needed <= set(row)
                json.dumps(row, allow_nan=False)


def test_the_rows_of_the_corpus_have_the_axes_of_their_plot():
    spec = drawn()["metrics/corpus.json"]
    aside = pd.DataFrame({"clip": [], "reason": []}, dtype=str)
    rows = summary.corpus_rows("es", clip_table("x", ""), index_table(""), aside)
    assert all({spec["x"], spec["y"]} <= set(row) for row in rows)


def test_a_row_of_the_results_says_where_the_test_speakers_are_too_few(cells, metrics):
    cell = cells["gender/es-features"]
    assert {row["reason"] for row in summary.result_rows(cell, metrics[cell])} == {
        "2 test speakers labelled female: too few to tell"
    }


def test_the_picture_of_the_results_shows_trained_and_skipped_cells(cells, metrics):
    rows = [row for cell in cells.values() for row in summary.result_rows(cell, metrics[cell])]
    assert len(rows) == 4 * 3 + 2
    figure = results(pd.DataFrame(rows), languages=2)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words.count(f"skipped: {REASON}") == 2
    value = metrics[cells["gender/es-features"]]["cnn"]["balanced_accuracy"]
    assert f"{value:.2f}" in words


def clips_of(task, labels: dict[tuple[str, str], int], part: str) -> pd.DataFrame:
    """Two clips of each of so many speakers of every locale and gender."""
    rows = [
        (locale, gender, f"{locale} {gender} {part} {speaker}", part)
        for (locale, gender), speakers in labels.items()
        for speaker in [*range(speakers)] * 2
    ]
    table = pd.DataFrame(rows, columns=["locale", "gender", "speaker", "part"])
    return table.assign(label=table[task.column])


def told(table: pd.DataFrame) -> list[tuple]:
    return list(table.itertuples(index=False, name=None))


LABELS = {("es", "female"): 2, ("es", "male"): 3, ("es", ""): 1, ("en", "female"): 4}


def test_undersampling_is_counted_in_the_part_that_it_was_given():
    task = language(["es", "en"])
    training, test = (clips_of(task, LABELS, part) for part in ("training", "test"))
    split, used = pd.concat([test, training]), pd.concat([test, training.iloc[1:]])
    table = summary.undersampling_table(split, used, task, undersample="training")
    assert told(table) == [
        ("en", "female", "before", 8, 4),
        ("es", "male", "before", 6, 3),
        ("es", "female", "before", 4, 2),
        ("es", "unlabelled", "before", 2, 1),
        ("en", "female", "after", 8, 4),
        ("es", "male", "after", 6, 3),
        ("es", "female", "after", 3, 2),
        ("es", "unlabelled", "after", 2, 1),
    ]
    everything = summary.undersampling_table(split, used, task, undersample="everything")
    clips = everything.groupby("stage")["clips"].sum()
    assert (clips["before"], clips["after"]) == (40, 39)


def test_a_second_label_stands_beside_the_class_only_where_it_tells_more():
    labels = {("es", "female"): 2, ("es", "male"): 3, ("en", "male"): 1}
    split = clips_of(GENDER, labels, "training")
    pooled = summary.undersampling_table(split, split, GENDER, undersample="training")
    assert told(pooled)[:3] == [
        ("male", "es", "before", 6, 3),
        ("male", "en", "before", 2, 1),
        ("female", "es", "before", 4, 2),
    ]
    one = split[split["locale"] == "es"]
    table = summary.undersampling_table(one, one.iloc[:4], GENDER, undersample="training")
    assert told(table) == [
        ("male", "before", 6, 3),
        ("female", "before", 4, 2),
        ("female", "after", 4, 2),
    ]


def test_the_picture_of_undersampling_tells_the_part_or_why_there_is_none(cells, params, tmp_path):
    def words(cell, speakers):
        split, _ = split_and_arrays(cell.task, params, tmp_path / cell.task.name, speakers=speakers)
        figure = undersampling_picture(cell, split, params)
        return " ".join(text.get_text() for text in figure.findobj(Text))

    assert "clips of the training part" in words(cells["language/features"], SPEAKERS)
    few = {place: count for place, count in SPEAKERS.items() if place[0] == "en"}
    assert f"skipped: {REASON}" in words(cells["gender/en-features"], few)
