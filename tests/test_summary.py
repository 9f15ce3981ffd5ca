"""The tables of results: only declared models, nothing lost, and rows that the plots can draw."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import GENDER, ROOT, language, replace_training, split_and_arrays
from matplotlib.text import Text
from sklearn.metrics import balanced_accuracy_score

from voicetraits.dataset.parts import TEST
from voicetraits.errors import InputError
from voicetraits.evaluation.intervals import Judged, balanced_accuracy_interval
from voicetraits.models import declared_models
from voicetraits.networks.model_folder import LIVE, PREDICTIONS, SIDECAR, read_sidecar
from voicetraits.plots.results import results as results_picture
from voicetraits.report import results, tables
from voicetraits.report.predictions import (
    ESTIMATORS,
    Found,
    Predictions,
    read_predictions,
    without_figures,
)
from voicetraits.report.summary import (
    draw_undersampling,
    read_reasons,
    undersampling_picture,
    write_json,
    write_results,
)
from voicetraits.storage.shards import write_table
from voicetraits.training.run import train_model

LOCALES = ["es", "en"]
SPEAKERS = {
    ("es", "male"): 12,
    ("es", "female"): 6,
    ("es", ""): 2,
    ("en", "male"): 10,
    ("en", "female"): 1,  # too few: the gender models of this locale are skipped
}
REASON = "10 male, 1 female speakers, 4 of each needed"
ES, EN = "gender-es-features-original", "gender-en-features-original"
POOLED = "language-all-features-original"


@pytest.fixture(scope="module")
def params(edited_params):
    return edited_params(
        locales=LOCALES,
        representations=["features", "spectrogram"],
        networks=["original"],
        models={"per_locale": ["gender"], "pooled": ["language"]},
        frames={"representations": [], "networks": [], "per_locale": [], "joined": []},
        split={"test": 0.3, "validation": 0.2, "min_speakers": 4},
        protocol={"split_by": "speaker", "undersample": "training", "scale": "training"},
    )


@pytest.fixture(scope="module")
def project(params, tmp_path_factory):
    """A folder with split tables and all declared models, trained."""
    folder = tmp_path_factory.mktemp("summary")
    for model in declared_models(params):
        speakers = {place: count for place, count in SPEAKERS.items() if place[0] in model.locales}
        split, folders = split_and_arrays(
            model.task, params, folder / "arrays" / model.name, speakers=speakers
        )
        write_table(folder / "data" / "splits" / f"{model.split}.parquet", split)
        with pytest.MonkeyPatch.context() as patch:
            replace_training(patch)
            train_model(model, split, folders, params, out=folder / "models" / model.name)
    return folder


@pytest.fixture(scope="module")
def models(params):
    return {model.name: model for model in declared_models(params)}


def read(project: Path, model, *, folder: Path | None = None) -> tuple:
    """Predictions of a model, and why there are none."""
    folder = folder or project / "models" / model.name
    reason = without_figures(model, folder)
    return {} if reason else read_predictions(model, folder), reason


@pytest.fixture(scope="module")
def records(project, models):
    """Records of every model by its name."""
    return {
        name: results.records(model, *read(project, model), seed=1)
        for name, model in models.items()
    }


def first_repeat(found: dict[str, Found]) -> dict[str, Predictions]:
    """Predictions of the network that is kept, and of the baselines beside it."""
    return {name: repeats[0] for name, repeats in found[""].test.items()}


def value(records: list[dict], estimator: str, metric: str, name: str = "") -> float:
    (found,) = [
        record["value"]
        for record in records
        if (record["estimator"], record["metric"], record["class"]) == (estimator, metric, name)
    ]
    return found


def test_the_declared_models_are_named_after_what_they_are(models):
    assert list(models) == [
        ES,
        "gender-es-spectrogram-original",
        EN,
        "gender-en-spectrogram-original",
        POOLED,
        "language-all-spectrogram-original",
    ]
    assert models[POOLED].task == language(LOCALES)
    assert models[POOLED].locales == ("es", "en")
    assert models[POOLED].split == "language-all"
    assert models[ES].columns == {
        "model": ES,
        "task": "gender",
        "locale": "es",
        "representation": "features",
        "network": "original",
    }


def test_a_skipped_model_carries_its_reason_in_place_of_figures(project, models, records):
    assert read(project, models[EN]) == ({}, {"skipped": REASON})
    (record,) = records[EN]
    assert (record["metric"], record["note"]) == ("skipped", REASON)
    assert results.nested(records[EN]) == {EN: {"skipped": REASON}}


def test_the_records_are_those_of_the_predictions(project, models, records):
    for name in (ES, "language-all-spectrogram-original"):
        model, found = models[name], records[name]
        table = pd.read_parquet(project / "models" / name / PREDICTIONS)
        for estimator in ESTIMATORS:
            rows = table[(table["estimator"] == estimator) & (table["part"] == TEST)]
            predicted = rows[list(model.task.classes)].idxmax(axis=1)
            expected = balanced_accuracy_score(rows["label"], predicted)
            assert value(found, estimator, "balanced_accuracy") == pytest.approx(expected, abs=5e-5)
            (interval,) = [
                record
                for record in found
                if (record["estimator"], record["metric"]) == (estimator, "balanced_accuracy")
            ]
            assert interval["low"] <= interval["value"] <= interval["high"]
            assert interval["chance"] == 0.5
            assert value(found, estimator, "clips") == len(rows)
            assert value(found, estimator, "speakers") == rows["speaker"].nunique()
            for label, speakers in rows.groupby("label")["speaker"].nunique().items():
                assert value(found, estimator, "speakers", label) == speakers
            assert value(found, estimator, "collapsed") == (predicted.nunique() == 1)
        assert value(found, "majority", "collapsed") == 1
        assert value(found, "network", "collapsed") == 0
        assert all({**record, **model.columns} == record for record in found)
    assert json.loads(json.dumps(records, allow_nan=False)) == records
    # DVC draws no rows of unequal keys.
    assert len({tuple(record) for found in records.values() for record in found}) == 1


def test_dvc_sees_every_value_of_the_records_under_its_own_name(records):
    found = results.nested(record for of_model in records.values() for record in of_model)
    assert list(found) == list(records)
    network = found[ES]["network"]
    assert network["speakers_female"] == value(records[ES], "network", "speakers", "female")
    assert network["low"] <= network["balanced_accuracy"] <= network["high"]
    kept = sum(len(values) for values in found[ES].values())
    assert kept == len(records[ES]) + 2 * len(ESTIMATORS)


def test_the_interval_draws_speakers_and_not_clips(project, models):
    model = models[ES]
    labels, _, speakers = read(project, model)[0][""].test["linear"][0]
    # As where the clips of a speaker stand and fall together.
    right = np.isin(speakers, np.unique(speakers)[::2])
    probabilities = np.where((labels == right)[:, None], [0.2, 0.8], [0.8, 0.2])
    predictions = {"": Found({"network": [Predictions(labels, probabilities, speakers)]}, [])}
    (found,) = [r for r in results.records(model, predictions, {}, seed=1) if r["low"] is not None]
    of_speakers, of_clips = (
        balanced_accuracy_interval(
            [Judged(labels, probabilities.argmax(axis=1), unit)], (0, 1), seed=1
        )
        for unit in (speakers, np.arange(len(labels)))
    )
    assert (found["low"], found["high"]) == of_speakers
    assert of_speakers[1] - of_speakers[0] > 1.2 * (of_clips[1] - of_clips[0])


@pytest.fixture
def copied(project, tmp_path):
    """A trained model in a folder of its own, to be spoiled."""
    shutil.copytree(project / "models" / ES, tmp_path / "model")
    return tmp_path / "model"


def test_a_failed_model_carries_its_reason_and_no_figure(models, copied):
    sidecar = json.loads((copied / SIDECAR).read_text(encoding="utf-8"))
    sidecar["failed"] = "the training loss is nan"
    (copied / SIDECAR).write_text(json.dumps(sidecar), encoding="utf-8")
    predictions, reason = read(copied, models[ES], folder=copied)
    assert (predictions, reason) == ({}, {"failed": "the training loss is nan"})
    found = results.records(models[ES], predictions, reason, seed=1)
    (row,) = results.picture_rows(found).to_dict("records")
    assert (row["status"], row["note"]) == ("failed", "the training loss is nan")
    counts = results.headline(found, [])
    assert counts["models"] == {"trained": 0, "skipped": 0, "failed": 1, "collapsed": 0}
    assert "gender" not in counts


def drop_a_clip(table: pd.DataFrame) -> pd.DataFrame:
    return table.drop(index=table.index[table["part"] == TEST][0])


def repeat_a_clip(table: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([table, table[table["part"] == TEST].iloc[:1]])


def swap_two_labels(table: pd.DataFrame) -> pd.DataFrame:
    tested = table["part"] == TEST
    table.loc[tested, "label"] = table.loc[tested, "label"].to_numpy()[::-1]
    return table


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (drop_a_clip, "the clips of network are not those of the test part"),
        (
            lambda table: pd.concat([table, table[table["part"] == TEST].iloc[:1]]),
            "not those of the test part",
        ),
        (swap_two_labels, "the clips of network are not those of the test part"),
        (lambda table: table[table["estimator"] != "linear"], "the clips of linear are not"),
        (lambda table: table.assign(male=np.nan), "no probability"),
        (lambda table: table.assign(male=0.9, female=0.9), "no probability"),
        (lambda table: table.assign(male=-0.5, female=1.5), "no probability"),
    ],
)
def test_predictions_of_another_test_part_or_of_no_sense_are_refused(models, copied, spoil, why):
    path = copied / PREDICTIONS
    table = pd.read_parquet(path).reset_index(drop=True)
    spoil(table).to_parquet(path)
    with pytest.raises(InputError, match=why) as refused:
        read_predictions(models[ES], copied)
    assert str(path) in str(refused.value)


def test_a_model_trained_for_other_languages_is_refused(params, project):
    fewer = params.model_copy(update={"locales": ["es", "fr"]})
    stale = declared_models(fewer)[-1]
    with pytest.raises(InputError, match=r"for en, es, and params.yaml declares .* for es, fr;"):
        without_figures(stale, project / "models" / stale.name)


def test_a_folder_without_a_model_is_named_with_the_remedy(models, tmp_path):
    with pytest.raises(InputError, match=r"model\.json: no model to read .* run `make repro`"):
        without_figures(models[ES], tmp_path)


def test_every_model_is_asked_what_it_is_once(project, models, monkeypatch):
    monkeypatch.chdir(project)
    asked = []

    def read(folder):
        asked.append(folder.name)
        return read_sidecar(folder)

    monkeypatch.setattr("voicetraits.report.predictions.read_sidecar", read)
    declared = list(models.values())
    reasons = read_reasons(declared)
    headline = write_results(declared, reasons, [], seed=1)
    draw_undersampling(declared, reasons, undersample="training")
    assert headline["models"] == {"trained": 4, "skipped": 2, "failed": 0, "collapsed": 0}
    assert asked == list(models)


def test_numbers_that_are_none_are_not_written(tmp_path):
    for content in ({"loss": np.nan}, [{"loss": np.inf}]):
        with pytest.raises(ValueError, match="not JSON compliant"):
            write_json(tmp_path / "metrics.json", content)
    assert not list(tmp_path.iterdir())


def test_the_headline_counts_skipped_models_and_leaves_them_out_of_the_means(records):
    corpus = [
        {"locale": "es", "outcome": "converted", "clips": 70},
        {"locale": "es", "outcome": "excluded", "clips": 1},
        {"locale": "en", "outcome": "converted", "clips": 40},
        {"locale": "en", "outcome": "excluded", "clips": 5},
        {"locale": "en", "outcome": "excluded", "clips": 4},
    ]
    found = results.headline([r for of_model in records.values() for r in of_model], corpus)

    def network(name: str) -> float:
        return value(records[name], "network", "balanced_accuracy")

    assert found["gender"] == {
        "original_features": network(ES),
        "original_spectrogram": network("gender-es-spectrogram-original"),
    }
    assert found["language"]["original_features"] == network(POOLED)
    assert found["models"] == {"trained": 4, "skipped": 2, "failed": 0, "collapsed": 0}
    assert found["clips"] == {"excluded": 10, "converted": 110}


def test_the_headline_takes_the_mean_over_the_trained_models_and_counts_collapsed_ones(models):
    def record(name: str, metric: str, value: float) -> dict:
        place = {**models[name].columns, "left_out": ""}
        row = {"estimator": "network", "metric": metric, "class": "", "value": value}
        return {
            **place,
            **row,
            "spread": None,
            "low": None,
            "high": None,
            "chance": 0.5,
            "note": "",
        }

    found = results.headline(
        [
            record(ES, "balanced_accuracy", 0.9),
            record(ES, "collapsed", 0),
            record(EN, "balanced_accuracy", 0.5),
            record(EN, "collapsed", 1),
            {**record(EN, "balanced_accuracy", 0.1), "estimator": "linear"},
            record("gender-es-spectrogram-original", "skipped", 1),
            record("gender-en-spectrogram-original", "failed", 1),
        ],
        [],
    )
    assert found["gender"] == {"original_features": 0.7}
    assert found["models"] == {"trained": 2, "skipped": 1, "failed": 1, "collapsed": 1}


def index_table(*notes: str) -> pd.DataFrame:
    return pd.DataFrame({"note": notes}, dtype=str)


def clip_table(*excluded: str) -> pd.DataFrame:
    return pd.DataFrame({"excluded": excluded}, dtype=str)


def test_every_row_of_the_corpus_is_accounted_for():
    clips = clip_table("", "", "", "", "over the cap", "no gender", "over the cap")
    clips = pd.concat([clips, clip_table("", "", "")])
    excluded = pd.DataFrame({"clip": ["a", "b"], "reason": ["empty file", "no samples"]})
    rows = tables.corpus_rows("es", clips, index_table("", "late", "", "late", "both"), excluded)
    assert [(row["outcome"], row["stage"], row["reason"], row["clips"]) for row in rows] == [
        ("converted", "convert", "", 2),
        ("converted", "convert", "both", 1),
        ("converted", "convert", "late", 2),
        ("excluded", "convert", "empty file", 1),
        ("excluded", "convert", "no samples", 1),
        ("excluded", "select", "no gender", 1),
        ("excluded", "select", "over the cap", 2),
    ]
    assert results.headline([], rows)["clips"] == {"excluded": 5, "converted": 5}
    json.dumps(rows)


@pytest.mark.parametrize("converted", [1, 3])
def test_a_clip_that_was_lost_or_made_up_is_an_error_that_names_the_locale(converted):
    excluded = pd.DataFrame({"clip": [], "reason": []}, dtype=str)
    with pytest.raises(ValueError, match="es: 3 clips listed"):
        tables.corpus_rows(
            "es", clip_table("", "", "too long"), index_table(*[""] * converted), excluded
        )


def test_a_locale_without_any_clips_adds_up_to_nothing():
    excluded = pd.DataFrame({"clip": [], "reason": []}, dtype=str)
    rows = tables.corpus_rows("es", clip_table(), index_table(), excluded)
    assert [row["clips"] for row in rows] == [0]


def test_the_history_has_every_epoch_of_both_parts(project, models):
    rows = tables.history_rows(models[ES], project / "models" / ES)
    assert [(row["part"], row["epoch"]) for row in rows] == [
        (part, epoch) for part in ("training", "validation") for epoch in (1, 2, 3)
    ]
    assert [row["loss"] for row in rows] == [0.5, 0.25, 0.1667, 0.75, 0.375, 0.25]
    assert [row["accuracy"] for row in rows[:2]] == [0.5, 0.25]
    assert rows[0]["model"] == ES


def test_curves_of_unequal_length_are_an_error(models, copied):
    path = copied / LIVE / "plots" / "metrics" / "validation" / "loss.tsv"
    path.write_text("".join(path.read_text().splitlines(keepends=True)[:-1]))
    with pytest.raises(ValueError, match="longer"):
        tables.history_rows(models[ES], copied)


def test_the_roc_curves_are_those_of_the_figures(project, models, records):
    rows = tables.roc_rows(models[ES], first_repeat(read(project, models[ES])[0]))
    assert list(dict.fromkeys(row["estimator"] for row in rows)) == ["network", "linear"]
    for estimator in ("network", "linear"):
        points = [(row["fpr"], row["tpr"]) for row in rows if row["estimator"] == estimator]
        assert (points[0], points[-1]) == ((0, 0), (1, 1))
        area = np.trapezoid(*zip(*((tpr, fpr) for fpr, tpr in points), strict=True))
        assert area == pytest.approx(value(records[ES], estimator, "roc_auc"), abs=5e-4)
        assert area != pytest.approx(0.5, abs=0.05)  # where the other class has the same


def test_the_confusion_matrix_is_that_of_the_network(project, models, records):
    rows = tables.confusion_rows(models[ES], first_repeat(read(project, models[ES])[0]))
    assert sum(row["clips"] for row in rows) == value(records[ES], "network", "clips")
    recalls = [row["share"] for row in rows if row["actual"] == row["predicted"]]
    expected = value(records[ES], "network", "balanced_accuracy")
    assert np.mean(recalls) == pytest.approx(expected, abs=1e-4)


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
        ("metrics/results.json", lambda m, _, found: results.records(m, found, {}, seed=1)),
        ("plots/history.json", lambda m, folder, _: tables.history_rows(m, folder)),
        ("plots/roc.json", lambda m, _, found: tables.roc_rows(m, first_repeat(found))),
        ("plots/confusion.json", lambda m, _, found: tables.confusion_rows(m, first_repeat(found))),
    ],
)
def test_the_rows_have_every_field_that_their_plot_reads(project, models, path, rows_of):
    spec = drawn()[path]
    template = (ROOT / ".dvc" / "plots" / f"{spec['template']}.json").read_text(encoding="utf-8")
    needed = fields_of(json.loads(template)) | {spec["x"], spec["y"]}
    assert "model" in needed
    for model in models.values():
        found, reason = read(project, model)
        if not reason:
            rows = rows_of(model, project / "models" / model.name, found)
            assert rows
            for row in rows:
                assert needed <= set(row)
                json.dumps(row, allow_nan=False)


def test_the_rows_of_the_corpus_have_the_axes_of_their_plot():
    spec = drawn()["metrics/corpus.json"]
    excluded = pd.DataFrame({"clip": [], "reason": []}, dtype=str)
    rows = tables.corpus_rows("es", clip_table("x", ""), index_table(""), excluded)
    template = (ROOT / ".dvc" / "plots" / f"{spec['template']}.json").read_text(encoding="utf-8")
    needed = fields_of(json.loads(template)) | {spec["x"], spec["y"]}
    assert all(needed <= set(row) for row in rows)


def test_labels_are_counted_of_the_selected_clips():
    clips = pd.DataFrame(
        {
            "speaker": ["a", "a", "b", "c", "d"],
            "gender": ["female", "female", "female", "", "male"],
            "excluded": ["", "", "", "", "no audio"],
        }
    )
    assert tables.label_rows("es", clips) == [
        {"locale": "es", "label": "female", "clips": 3, "speakers": 2},
        {"locale": "es", "label": "unlabelled", "clips": 1, "speakers": 1},
    ]
    assert tables.label_rows("es", clips[:0]) == []


def test_a_row_of_the_results_says_where_the_test_speakers_are_too_few(records):
    rows = results.picture_rows(records[ES])
    assert set(rows["note"]) == {"2 speakers labelled female: too few"}


def test_the_picture_of_the_results_shows_trained_and_skipped_models(records):
    rows = results.picture_rows([r for of_model in records.values() for r in of_model])
    assert len(rows) == 4 * len(ESTIMATORS) + 2
    figure = results_picture(rows)
    words = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert words.count(f"skipped: {REASON}") == 2
    assert f"{value(records[ES], 'network', 'balanced_accuracy'):.2f}" in words


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
    table = tables.undersampling_table(split, used, task, undersample="training")
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
    everything = tables.undersampling_table(split, used, task, undersample="everything")
    clips = everything.groupby("stage")["clips"].sum()
    assert (clips["before"], clips["after"]) == (40, 39)


def test_a_second_label_stands_beside_the_class_only_where_it_tells_more():
    labels = {("es", "female"): 2, ("es", "male"): 3, ("en", "male"): 1}
    split = clips_of(GENDER, labels, "training")
    pooled = tables.undersampling_table(split, split, GENDER, undersample="training")
    assert told(pooled)[:3] == [
        ("male", "es", "before", 6, 3),
        ("male", "en", "before", 2, 1),
        ("female", "es", "before", 4, 2),
    ]
    one = split[split["locale"] == "es"]
    table = tables.undersampling_table(one, one.iloc[:4], GENDER, undersample="training")
    assert told(table) == [
        ("male", "before", 6, 3),
        ("female", "before", 4, 2),
        ("female", "after", 4, 2),
    ]


def test_the_picture_of_undersampling_tells_the_part_or_why_there_is_none(
    project, models, monkeypatch
):
    monkeypatch.chdir(project)

    def words(name):
        reason = without_figures(models[name], Path("models", name))
        figure = undersampling_picture(models[name], reason, undersample="training")
        return " ".join(text.get_text() for text in figure.findobj(Text))

    assert "clips of the training part" in words(POOLED)
    assert f"skipped: {REASON}" in words(EN)
