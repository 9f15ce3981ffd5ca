"""The table of results, and the README that shows it."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from voicetraits.cli import results_table
from voicetraits.errors import InputError

ROOT = Path(__file__).parents[1]
CNN = {"balanced_accuracy": 0.9, "low": 0.81, "high": 0.97, "roc_auc": 0.95, "macro_f1": 0.7}
CNN |= {"collapsed": 0, "speakers_by_class": {"male": 12, "female": 10}}
BASELINE = {"balanced_accuracy": 0.5, "speakers_by_class": {"male": 12, "female": 10}}


REPRESENTATIONS = ("features", "spectrogram")


@pytest.fixture
def repository(tmp_path):
    """A folder with the committed params.yaml and metrics of every cell."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    cells = [("gender", f"{x}-{y}") for x in ("es", "en", "fr", "de") for y in REPRESENTATIONS]
    for task, cell in [*cells, *(("language", name) for name in REPRESENTATIONS)]:
        write(tmp_path, task, cell, cnn=CNN, linear=BASELINE, majority=BASELINE)
    return tmp_path


def write(root, task, cell, **models):
    """Write the metrics of one cell."""
    for model, metrics in models.items():
        path = root / "metrics" / task / cell / f"{model}.json"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(metrics), encoding="utf-8")


def test_every_cell_has_a_row_with_its_figures(repository):
    rows = results_table(repository).splitlines()[2:]
    assert len(rows) == 10
    assert "| gender | es | features | 0.90 (0.81–0.97) | 0.95 | 0.50 | 0.50 |" in rows  # noqa: RUF001
    assert "| language | all | spectrogram | 0.90 (0.81–0.97) | 0.70 | 0.50 | 0.50 |" in rows  # noqa: RUF001


def test_a_skipped_cell_says_why(repository):
    why = {"skipped": "2 female speakers"}
    write(repository, "gender", "fr-features", cnn=why, linear=why, majority=why)
    assert "skipped: 2 female speakers" in results_table(repository)


def test_a_collapsed_cell_is_named(repository):
    write(repository, "gender", "fr-features", cnn={**CNN, "collapsed": 1})
    assert "collapsed: one class for everything" in results_table(repository)


def test_a_failed_cell_says_why(repository):
    why = {"failed": "the training loss is nan"}
    write(repository, "gender", "fr-features", cnn=why, linear=why, majority=why)
    rows = results_table(repository).splitlines()
    assert "| gender | fr | features | failed: the training loss is nan |  |  |  |" in rows


@pytest.mark.parametrize("count", [0, 5, 9, 10])
def test_a_cell_with_too_few_test_speakers_of_a_class_says_so(repository, count):
    few = {"speakers_by_class": {"male": 20, "female": count}}
    write(repository, "gender", "fr-features", cnn={**CNN, **few})
    row = next(row for row in results_table(repository).splitlines() if "| fr | f" in row)
    said = f"(0.81–0.97), {count} test speakers labelled female: too few to tell |"  # noqa: RUF001
    assert (said in row) == (count < 10)
    few = {"speakers_by_class": {"de": 20, "en": count, "es": 20, "fr": 20}}
    write(repository, "language", "features", cnn={**CNN, **few})
    row = next(row for row in results_table(repository).splitlines() if "| all | f" in row)
    assert (f", {count} test speakers of en: too few to tell |" in row) == (count < 10)


def test_a_collapsed_cell_with_few_speakers_says_both(repository):
    changed = {"collapsed": 1, "speakers_by_class": {"male": 20, "female": 5}}
    write(repository, "gender", "fr-features", cnn={**CNN, **changed})
    assert "class for everything, 5 test speakers labelled" in results_table(repository)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (None, "no results to read"),
        ("{", "no results to read"),
        ('{"balanced_accuracy": 0.9}', "results of an earlier version"),
    ],
)
def test_metrics_that_are_missing_or_old_are_named_with_the_remedy(repository, content, why):
    path = repository / "metrics" / "gender" / "fr-features" / "cnn.json"
    path.unlink()
    if content is not None:
        path.write_text(content, encoding="utf-8")
    with pytest.raises(InputError, match=rf"cnn\.json: {why}.*make repro"):
        results_table(repository)


def test_the_readme_shows_the_committed_metrics(tmp_path):
    if not (ROOT / ".git").exists():
        pytest.skip("without a Git repository, nothing is committed")
    # What is committed, not what lies here: an experiment changes the metrics in the work tree.
    archive = subprocess.run(
        ["git", "archive", "HEAD", "README.md", "params.yaml", "metrics"],
        cwd=ROOT,
        check=True,
        capture_output=True,
    ).stdout
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        tar.extractall(tmp_path, filter="data")
    made = (tmp_path / "metrics" / "gender" / "es-features" / "cnn.json").read_text("utf-8")
    if "speakers_by_class" not in made:
        pytest.skip("the committed metrics are those of an earlier version")
    readme = (tmp_path / "README.md").read_text(encoding="utf-8")
    shown = readme.split("<!-- results -->")[1].split("<!-- /results -->")[0].strip()
    assert shown == results_table(tmp_path)
