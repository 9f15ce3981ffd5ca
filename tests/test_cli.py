"""The table of results, and the README that shows it."""

import io
import json
import subprocess
import tarfile

import pytest
from conftest import COMMITTED, ROOT

from voicetraits.errors import InputError
from voicetraits.models import judged_models
from voicetraits.params import Params, load_params
from voicetraits.report.markdown import results_table
from voicetraits.report.results import read_results

# Whatever params.yaml switches on.
DECLARED = {
    "locales": ["es", "fr"],
    "representations": ["features", "spectrogram"],
    "networks": ["original"],
    "models": {"per_locale": ["gender"], "pooled": ["language"]},
    "frames": {
        **COMMITTED.frames.model_dump(),
        **{"representations": ["mel"], "networks": ["tdnn"], "per_locale": ["gender"]},
        **{"joined": ["language_and_gender"]},
    },
}
MODELS = judged_models(Params.model_validate({**COMMITTED.model_dump(), **DECLARED}))
FR = "gender-fr-features-original"


def records(model, *, note="", collapsed=0):
    """Records of a model: a network at 0.9 and the baselines near 0.5."""
    place = {**model.columns, "left_out": "", "class": "", "note": "", "spread": None}
    place |= {"low": None, "high": None}
    score = {"low": 0.81, "high": 0.97, "chance": 0.5, "note": note}
    found = [
        {**place, **score, "estimator": name, "metric": "balanced_accuracy", "value": value}
        for name, value in (("network", 0.9), ("linear", 0.5), ("pitch", 0.6), ("majority", 0.5))
    ]
    for metric, value in (("roc_auc", 0.95), ("macro_f1", 0.7), ("collapsed", collapsed)):
        found.append({**place, "estimator": "network", "metric": metric, "value": value})
    return found


def table(**of_fr):
    """The table of all declared models, one of them with other records."""
    found = []
    for model in MODELS:
        found += records(model, **(of_fr if model.name == FR else {}))
    return results_table(found, MODELS).splitlines()[2:]


def row_of_fr(**of_fr):
    (row,) = [
        row for row in table(**of_fr) if row.startswith("| gender | fr | features | original |")
    ]
    return row


def test_every_model_has_a_row_with_its_figures():
    rows = table()
    per_locale, pooled, joined = 2 * (2 + 1), 2 + 1, 2
    assert len(rows) == per_locale + pooled + joined
    for row in (
        "| gender | es | features | original | 0.90 (0.81–0.97) | roc_auc 0.95 "  # noqa: RUF001
        "| 0.50 | 0.60 | 0.50 |",
        "| language | all | spectrogram | original | 0.90 (0.81–0.97) | macro_f1 0.70 "  # noqa: RUF001
        "| 0.50 | 0.60 | 0.50 |",
    ):
        assert row in rows


@pytest.mark.parametrize("status", ["skipped", "failed"])
def test_a_model_without_figures_says_why(status):
    (model,) = [model for model in MODELS if model.name == FR]
    record = {**model.columns, "left_out": "", "estimator": "network", "metric": status}
    record |= {"class": "", "value": 1}
    found = results_table([{**record, "note": "the loss is nan"}], [model])
    assert f"| gender | fr | features | original | {status}: the loss is nan |  |  |  |  |" in found


def test_a_collapsed_model_is_named_and_so_is_a_note():
    assert "collapsed: one class for everything |" in row_of_fr(collapsed=1)
    assert "(0.81–0.97), 5 test speakers: too few |" in row_of_fr(note="5 test speakers: too few")  # noqa: RUF001
    both = row_of_fr(collapsed=1, note="5 test speakers: too few")
    assert "one class for everything, 5 test speakers" in both


def test_a_model_without_records_is_named_with_the_remedy():
    with pytest.raises(InputError, match=rf"no results of {FR}; run `make repro`"):
        results_table([r for model in MODELS if model.name != FR for r in records(model)], MODELS)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no results here"),
        ("{", "no results to read"),
        ('[{"balanced_accuracy": 0.9}]', "results of an earlier version"),
        ('{"gender": 1}', "results of an earlier version"),
    ],
)
def test_results_that_are_missing_or_old_are_named_with_the_remedy(tmp_path, content, why):
    path = tmp_path / "results.json"
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=rf"results\.json: {why}.*make repro"):
        read_results(path)


def test_the_readme_shows_the_committed_results(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("without a Git repository, nothing is committed")
    # What is committed, not what lies here: an experiment changes the results in the work tree.
    archive = subprocess.run(
        ["git", "archive", "HEAD", "README.md", "params.yaml", "metrics"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path, filter="data")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- results -->")[1].split("<!-- /results -->")[0].strip()
    models = judged_models(load_params(tmp_path / "params.yaml"))
    results = json.loads((tmp_path / "metrics" / "results.json").read_text(encoding="utf-8"))
    assert shown == results_table(results, models)
