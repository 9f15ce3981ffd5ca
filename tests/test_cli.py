"""The table of results, and the README that shows it."""

import io
import json
import subprocess
import tarfile
from pathlib import Path

import pytest

from voicetraits.cli import results_table

ROOT = Path(__file__).parents[1]
CNN = {"balanced_accuracy": 0.9, "low": 0.81, "high": 0.97, "roc_auc": 0.95, "macro_f1": 0.7}
BASELINE = {"balanced_accuracy": 0.5}


REPRESENTATIONS = ("features", "spectrogram")


@pytest.fixture
def repository(tmp_path):
    """A folder with the committed params.yaml and metrics of every cell."""
    (tmp_path / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    cells = [("gender", f"{x}-{y}") for x in ("es", "en", "fr", "de") for y in REPRESENTATIONS]
    for task, cell in [*cells, *(("language", name) for name in REPRESENTATIONS)]:
        write(tmp_path, task, cell, cnn={**CNN, "collapsed": 0}, linear=BASELINE, majority=BASELINE)
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


def test_the_readme_shows_the_committed_metrics(tmp_path):
    # What is committed, not what lies here: an experiment changes the metrics in the work tree.
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
    assert shown == results_table(tmp_path)
