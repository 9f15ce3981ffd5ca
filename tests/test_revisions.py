"""`voicetraits compare` in a small repository of Git and DVC."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

from voicetraits.report.revisions import flat

# In place of training: right about a share of the clips, and about others on another machine.
_TRAIN = """
import json, pathlib
import numpy as np, pandas as pd, yaml

share = yaml.safe_load(open("params.yaml"))["train"]["share"]
machine = pathlib.Path("machine.txt")
rng = np.random.default_rng(int(machine.read_text()) if machine.exists() else 0)
rows = [(f"{g}{s}-{c}.mp3", "es", f"{g}{s}", g)
        for g in ("male", "female") for s in range(12) for c in range(5)]
table = pd.DataFrame(rows, columns=["clip", "locale", "speaker", "label"])
female = (table["label"] == "female") == (rng.uniform(size=len(table)) < share)
table = table.assign(estimator="network", male=1.0 - female, female=1.0 * female)
folder = pathlib.Path("models/gender-es-features-original")
folder.mkdir(parents=True, exist_ok=True)
table.to_parquet(folder / "predictions.parquet")
task = {"name": "gender", "column": "gender", "classes": ["male", "female"]}
(folder / "model.json").write_text(json.dumps({"task": task, "skipped": "", "failed": ""}))
"""
_PIPELINE = """
stages:
  train:
    cmd: python stages/train.py
    params: [train]
    deps: [stages/train.py, corpus.txt]
    outs: [models/gender-es-features-original]
"""
MODEL = "gender-es-features-original"
MACHINE = "the difference is the machine or the environment"


class Repository:
    """A folder with a pipeline of one stage, in Git and DVC."""

    def __init__(self, folder: Path, base: Path) -> None:
        self.folder = folder
        foreign = ("GIT_", "DVC_", "XDG_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self._environment = {
            **kept,
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "src"),
            "HOME": str(base / "home"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "GIT_CONFIG_NOSYSTEM": "1",
            "DVC_GLOBAL_CONFIG_DIR": str(base / "home"),
            "DVC_SYSTEM_CONFIG_DIR": str(base / "home"),
            "DVC_SITE_CACHE_DIR": str(base / "site"),
            "DVC_NO_ANALYTICS": "1",
            "CI": "true",
        }

    def run(self, *command: str, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder; fail the test unless it ends as expected."""
        done = subprocess.run(
            command, cwd=self.folder, env=self._environment, capture_output=True, text=True
        )
        assert (done.returncode == 0) is succeeds, f"{command}\n{done.stdout}\n{done.stderr}"
        return done

    def write(self, path: str, text: str) -> None:
        """Write a file, in folders that are made where need be."""
        (self.folder / path).parent.mkdir(parents=True, exist_ok=True)
        (self.folder / path).write_text(text, encoding="utf-8")

    def commit(self, tag: str) -> None:
        """Commit everything under a tag."""
        self.run("git", "add", "--all")
        self.run("git", "commit", "--quiet", "--message", tag)
        self.run("git", "tag", tag)

    def compare(self, *arguments: str, succeeds: bool = True) -> str:
        """What `voicetraits compare` prints, on one line each; of an error, the message."""
        code = "from voicetraits.cli import main; main()"
        done = self.run(sys.executable, "-c", code, "compare", *arguments, succeeds=succeeds)
        return done.stdout if succeeds else done.stderr


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> Repository:
    """Tags: first, machine (as first, elsewhere), worse (another parameter); leave it as it is.

    An experiment, `tried`, has a parameter of its own, and the work tree is that of `first`.
    """
    base = tmp_path_factory.mktemp("revisions")
    found = Repository(base / "a project", base)
    found.write("stages/train.py", _TRAIN)
    found.write("dvc.yaml", _PIPELINE)
    found.write("params.yaml", "train:\n  share: 0.95\n")
    found.write("corpus.txt", "all clips\n")
    found.write(".gitignore", "/models/\n/machine.txt\n")
    found.run("git", "init", "--quiet", "--initial-branch=main")
    found.run("git", "config", "user.name", "Somebody")
    found.run("git", "config", "user.email", "somebody@example.org")
    found.run("dvc", "init", "--quiet")
    found.commit("empty")
    found.run("dvc", "repro", "--quiet")
    found.commit("first")
    found.write("machine.txt", "1")
    found.run("dvc", "repro", "--quiet", "--force")
    found.commit("machine")
    found.write("params.yaml", "train:\n  share: 0.6\n")
    found.run("dvc", "repro", "--quiet")
    found.commit("worse")
    found.run("git", "checkout", "--quiet", "first")
    found.write("params.yaml", "train:\n  share: 0.5\n")
    found.run("dvc", "repro", "--quiet")
    found.run("dvc", "exp", "save", "--quiet", "--name", "tried")
    found.run("git", "restore", ".")
    found.run("dvc", "checkout", "--quiet")
    return found


@pytest.fixture
def copied(made, tmp_path) -> Repository:
    """A copy, to change at will."""
    shutil.copytree(made.folder, tmp_path / "copy", symlinks=True)
    return Repository(tmp_path / "copy", tmp_path)


pytestmark = pytest.mark.slow


@pytest.mark.parametrize(("revision", "share"), [("worse", 0.6), ("tried", 0.5)])
def test_a_tag_or_an_experiment_with_another_parameter(made, revision, share):
    text = made.compare("first", revision)
    assert f"- train.share: 0.95 -> {share}" in text.splitlines()
    assert "- Code: the same" in text.splitlines()
    assert f"| {MODEL} " in text
    assert "| worse " in text
    assert MACHINE not in text


def test_the_work_tree_is_the_second_where_none_is_named(made):
    text = made.compare("worse")
    assert text.splitlines()[1] == "B: the work tree"
    assert "- train.share: 0.6 -> 0.95" in text
    assert "| better " in text
    for name in (".", "workspace"):
        assert "and the same predictions." in made.compare("first", name)


def test_another_machine_is_told_from_another_recipe(made):
    text = made.compare("first", "machine")
    assert f"Same parameters, code and data: {MACHINE}." in text.splitlines()
    assert "- First stage with another output: train" in text.splitlines()


def test_all_of_it_as_json(made):
    found = json.loads(made.compare("first", "worse", "--json"))
    (row,) = found["rows"]
    assert row["speakers"] == {"male": 12, "female": 12}
    assert row["low"] <= row["difference"] <= row["high"] < 0
    assert found["causes"]["parameters"] == {"train.share": {"a": 0.95, "b": 0.6}}


def test_unknown_and_empty_revisions_are_one_line(made):
    folder = made.run("git", "rev-parse", "HEAD^{tree}").stdout.strip()
    for name in ("nosuch", "HEAD:params.yaml", "HEAD^{tree}", folder, ""):
        told = made.compare(name, succeeds=False)
        assert f"{name or repr('')}: no commit, tag, branch or experiment" in told
    assert "empty" in made.compare("empty", succeeds=False)
    assert "dvc.lock records no model" in made.compare("empty", succeeds=False)


def test_code_and_data_are_told_apart(copied):
    copied.write("stages/train.py", f"{_TRAIN}\n# changed\n")
    copied.write("corpus.txt", "more clips\n")
    copied.run("dvc", "repro", "--quiet")
    lines = copied.compare("first").splitlines()
    assert {"- Parameters: none", "- Code: stages/train.py", "- Data: corpus.txt"} <= set(lines)


def test_a_work_tree_that_changed_since_says_so(copied):
    copied.write("params.yaml", "train:\n  share: 0.7\n")
    copied.write("stages/train.py", f"{_TRAIN}\n# changed\n")
    text = copied.compare("first").replace("\n  ", " ")
    assert "run `make repro`: stages/train.py, train.share" in text
    assert "and the same predictions." in text


def test_models_of_another_revision_are_refused(copied):
    copied.run("git", "checkout", "--quiet", "worse")
    message = copied.compare("first", succeeds=False)
    assert f"models/{MODEL}: not what dvc.lock records; run `dvc checkout`" in message
    copied.run("dvc", "checkout", "--quiet")
    assert "| worse " in copied.compare("first")


def test_results_that_are_nowhere_here_name_the_remedy(copied):
    shutil.rmtree(copied.folder / ".dvc/cache")
    message = copied.compare("worse", succeeds=False)
    assert f"models/{MODEL} is not in DVC's cache" in message
    assert "run `make repro`" in message
    assert "dvc fetch --all-commits" in message
    shutil.rmtree(copied.folder / "models")
    assert "run `make repro`" in copied.compare(".", "worse", succeeds=False)


def test_outside_a_repository_one_line_says_so(tmp_path):
    outside = Repository(tmp_path, tmp_path)
    message = outside.compare("first", succeeds=False)
    assert message.startswith("error: ")
    assert "Traceback" not in message


def test_nested_values_have_dotted_names():
    assert flat({"a": {"b": {"c": 1}}, "d": [2]}) == {"a.b.c": 1, "d": [2]}
