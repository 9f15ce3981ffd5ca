"""The whole pipeline in miniature: the real dvc.yaml, run by DVC in a Git repository of its own."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tarfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml
from conftest import ROOT, audio_file, folder_bytes, tone, with_age

pytestmark = pytest.mark.slow

LOCALES = ("es", "en")
MODELS = (
    "gender-es-features-original",
    "gender-en-features-original",
    "language-all-features-original",
    "age-all-features-original",
)
TRAINING = {
    *(f"train@gender-{locale}-features-original" for locale in LOCALES),
    *(f"train_pooled@{task}-features-original" for task in ("language", "age")),
}
BY_LOCALE = {f"{stage}@{locale}" for stage in ("sample", "select", "convert") for locale in LOCALES}
# What runs every time, first and last.
ALWAYS = ["check", "report"]
# What follows from trained networks.
AFTER = {"summarise", "export", "evaluate"}
STAGES = (
    {*ALWAYS, *AFTER, "explore", "split_pooled@language", "split_pooled@age"}
    | {f"split@gender-{locale}" for locale in LOCALES}
    | BY_LOCALE
    | {f"extract@{locale}-features" for locale in LOCALES}
    | {f"pitch@{locale}" for locale in LOCALES}
    | TRAINING
)
# All that decides which stages there are, whatever params.yaml switches on. en has too few speakers
# for its gender model, and enough for the language task.
SMALL: dict[str, Any] = {
    "locales": list(LOCALES),
    "representations": ["features"],
    "networks": ["original"],
    "beside": [],
    "frames": {"representations": [], "networks": [], "per_locale": [], "joined": []},
    "models": {"per_locale": ["gender"], "pooled": ["language", "age"]},
    "sample": {
        "speakers": {"es": 16, "en": 4},
        "female": 0.5,
        "unlabelled": 0.2,
        "clips_min": 2,
        "clips_max": 3,
    },
    "select": {"clips_per_speaker": 2},
    "clip": {"seconds": 1.0},
    "extract": {"frames": 16},
    "split": {"min_speakers": 3},
    "train": {"epochs": 2, "batch_size": 4, "warmup": 0},
}
CLIENT_ID = re.compile(r"[0-9a-f]{128}")


class Project:
    """A copy of the pipeline in a folder that is a Git and DVC repository."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self.folder = folder
        # As with one environment for several clones: what is installed is the code of another.
        self._environment = {**environment, "PYTHONPATH": str(ROOT / "src")}

    @classmethod
    def new(cls, folder: Path, environment: Mapping[str, str], **changes: Any) -> Project:
        """Copy the pipeline's files and commit them, with params.yaml shrunk and changed."""
        for name in ("src/voicetraits", "stages", ".dvc/plots"):
            ignored = shutil.ignore_patterns("__pycache__", "page.html")
            shutil.copytree(ROOT / name, folder / name, ignore=ignored)
        for name in ("dvc.yaml", ".dvcignore", ".gitignore", ".dvc/config", ".dvc/.gitignore"):
            shutil.copy(ROOT / name, folder / name)
        project = cls(folder, environment)
        committed = yaml.safe_load(with_age((ROOT / "params.yaml").read_text(encoding="utf-8")))
        project.write_params(merged(merged(committed, SMALL), changes))
        project.run("git", "init", "--quiet", "--initial-branch=main")
        # Of the repository, because a machine that only runs tests has no global one.
        project.run("git", "config", "user.name", "Voice Traits")
        project.run("git", "config", "user.email", "tests@voicetraits.invalid")
        project.commit(".")
        return project

    def copy(self, folder: Path) -> Project:
        """Everything there is, results and experiments included, in another folder."""
        shutil.copytree(self.folder, folder, symlinks=True)
        return self.at(folder)

    def at(self, folder: Path) -> Project:
        """Another clone of this project, which is there already."""
        return Project(folder, self._environment)

    def run(self, *command: str, succeeds: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command in the folder; fail the test unless it ends as expected."""
        process = subprocess.run(
            command,
            cwd=self.folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        said = f"{' '.join(command)}: exit code {process.returncode}\n{process.stdout}"
        assert (process.returncode == 0) is succeeds, f"{said}\n{process.stderr}"
        return process

    def commit(self, *paths: str) -> None:
        """Commit these files."""
        self.run("git", "add", *paths)
        self.run("git", "commit", "--quiet", "--message", "a step")

    def changes(self) -> list[str]:
        """What Git sees changed or untracked."""
        return self.run("git", "status", "--porcelain").stdout.splitlines()

    def read_params(self) -> dict[str, Any]:
        """The content of params.yaml."""
        return yaml.safe_load((self.folder / "params.yaml").read_text(encoding="utf-8"))

    def write_params(self, params: dict[str, Any]) -> None:
        """Replace params.yaml."""
        text = yaml.safe_dump(params, sort_keys=False)
        (self.folder / "params.yaml").write_text(text, encoding="utf-8")

    def json(self, path: str) -> Any:
        """The content of a JSON file."""
        return json.loads((self.folder / path).read_text(encoding="utf-8"))


def merged(old: dict[str, Any], new: dict[str, Any]) -> dict[str, Any]:
    """`old` with the values of `new`; a section keeps its other keys."""
    sections = {
        name: {**old.get(name, {}), **value} if isinstance(value, dict) else value
        for name, value in new.items()
    }
    return {**old, **sections}


def stages_run(process: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages that a `dvc repro` or `dvc exp run` has run, in order."""
    return re.findall(r"^Running stage '(.+)':$", process.stdout, re.MULTILINE)


def stages_restored(process: subprocess.CompletedProcess[str]) -> list[str]:
    """The stages whose results an earlier run had left in the cache."""
    return re.findall(r"^Stage '(.+)' is cached", process.stdout, re.MULTILINE)


@pytest.fixture(scope="module")
def base(tmp_path_factory) -> Path:
    """A folder for everything; with a space in its name, as people have them."""
    return tmp_path_factory.mktemp("voice traits")


@pytest.fixture(scope="module")
def environment(base) -> dict[str, str]:
    """Environment variables that keep this machine's Git, DVC and JAX settings out."""
    foreign = ("GIT_", "DVC_", "XDG_", "JAX_", "KERAS_", "XLA_", "DASK_", "VOICETRAITS_")
    kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
    return {
        **kept,
        # `python` and `dvc` of dvc.yaml and of the tests are those that run the tests.
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(base / "home"),
        "GIT_CONFIG_GLOBAL": os.devnull,
        "GIT_CONFIG_NOSYSTEM": "1",
        **{
            f"GIT_{role}_{what}": value
            for role in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "Somebody"), ("EMAIL", "somebody@example.org"))
        },
        "DVC_GLOBAL_CONFIG_DIR": str(base / "home"),
        "DVC_SYSTEM_CONFIG_DIR": str(base / "home"),
        "DVC_SITE_CACHE_DIR": str(base / "site"),
        "DVC_NO_ANALYTICS": "1",
        "CI": "true",  # DVC does not ask the network for a newer version
        "COLUMNS": "160",
        "MPLCONFIGDIR": str(base / "matplotlib"),
        "JAX_COMPILATION_CACHE_DIR": str(base / "jax"),
    }


@pytest.fixture(scope="module")
def first_run(base, environment) -> tuple[Project, subprocess.CompletedProcess[str]]:
    """The miniature pipeline after its first `dvc repro`, results committed; leave it as it is."""
    project = Project.new(base / "first run", environment)
    process = project.run("dvc", "repro")
    project.commit("dvc.lock", "metrics", "plots")
    return project, process


@pytest.fixture(scope="module")
def project(first_run) -> Project:
    """The project of the first run; leave it as it is."""
    return first_run[0]


@pytest.fixture
def copied(project, tmp_path) -> Project:
    """A copy of the project, to change at will."""
    return project.copy(tmp_path / "a copy")


@pytest.fixture(scope="module")
def experiment(project, base) -> tuple[Project, subprocess.CompletedProcess[str]]:
    """A copy of the project after one experiment; leave it as it is."""
    copy = project.copy(base / "an experiment")
    command = ("dvc", "exp", "run", "--name", "one-epoch", "--set-param", "train.epochs=1")
    return copy, copy.run(*command)


@pytest.fixture(scope="module")
def elsewhere(base, environment) -> tuple[Project, subprocess.CompletedProcess[str]]:
    """Another project, summarised from a corpus outside the repository; leave it as it is."""
    corpus = base / "common voice"
    write_corpus(corpus, "es", male=4, female=4)
    write_corpus(corpus, "en", male=1, female=1)
    (corpus / "es/clips/es_male_0_0.mp3").write_bytes(b"this is no MP3 file")
    (corpus / "es/clips/es_male_1_1.mp3").unlink()
    project = Project.new(
        base / "corpus elsewhere",
        environment,
        corpus={"path": str(corpus), "ending": ""},
        representations=["spectrogram"],
    )
    return project, project.run("dvc", "repro", "summarise")


class TestFirstRun:
    def test_every_stage_runs_once_and_the_check_first(self, first_run):
        order = stages_run(first_run[1])
        assert [order[0], order[-1]] == ALWAYS
        assert sorted(order) == sorted(STAGES)

    def test_every_declared_metric_and_plot_is_there(self, project):
        pipeline = yaml.safe_load((project.folder / "dvc.yaml").read_text(encoding="utf-8"))
        stages = (pipeline["stages"][name] for name in ("summarise", "explore"))
        declared = [
            name
            for stage in stages
            for part in ("metrics", "plots")
            for each in stage.get(part, [])
            for name in each
        ]
        assert {"metrics/summary.json", "plots/results.png", "plots/explore"} <= set(declared)
        for name in declared:
            path = project.folder / name
            files = [path] if path.is_file() else list(path.rglob("*.*"))
            assert files, name
            for file in files:
                if file.suffix == ".json":
                    # Strict JSON: NaN and Infinity are none, and stop the plots of a browser.
                    assert json.loads(file.read_text(encoding="utf-8"), parse_constant=pytest.fail)
                else:
                    assert file.read_bytes().startswith(b"\x89PNG"), file

    def test_every_file_that_a_stage_wrote_is_in_the_lock(self, project):
        lock = yaml.safe_load((project.folder / "dvc.lock").read_text(encoding="utf-8"))
        outs = [out["path"] for stage in lock["stages"].values() for out in stage.get("outs", [])]
        written = [
            str(file.relative_to(project.folder))
            for top in ("data", "metrics", "models", "plots")
            for file in (project.folder / top).rglob("*")
            if file.is_file()
        ]
        stray = [
            name
            for name in written
            if not any(name == out or name.startswith(f"{out}/") for out in outs)
        ]
        assert stray == []

    def test_the_summary_counts_the_models(self, project):
        models = project.json("metrics/models.json")
        assert tuple(models) == MODELS
        trained = [model["network"] for model in models.values() if "network" in model]
        assert project.json("metrics/summary.json")["models"] == {
            "trained": 3,
            "skipped": 1,
            "failed": 0,
            "collapsed": sum(network["collapsed"] for network in trained),
        }
        skipped = {name: found["skipped"] for name, found in models.items() if "skipped" in found}
        assert skipped == {MODELS[1]: "2 male, 2 female speakers, 3 of each needed"}

    def test_a_task_is_one_declaration_in_params_yaml(self, project):
        age = project.json("metrics/models.json")[MODELS[-1]]["network"]
        recalls = [name for name in age if name.startswith("recall_")]
        assert recalls == ["recall_young", "recall_middle", "recall_old"]
        code = [*(ROOT / "src").rglob("*.py"), *(ROOT / "stages").glob("*.py")]
        assert not [path for path in code if "young" in path.read_text(encoding="utf-8")]

    def test_no_clip_is_lost(self, project):
        tables = [
            pd.read_parquet(project.folder / f"data/clips/{locale}.parquet") for locale in LOCALES
        ]
        excluded = sum((table["excluded"] != "").sum() for table in tables)
        assert excluded > 0  # some speakers have three clips, and two are kept
        counts = project.json("metrics/summary.json")["clips"]
        by_stage = [
            sum(
                row["clips"] for row in project.json("metrics/corpus.json") if row["stage"] == stage
            )
            for stage in ("select", "convert")
        ]
        assert by_stage == [excluded, sum(map(len, tables)) - excluded]
        assert sum(counts.values()) == sum(by_stage)

    def test_results_and_output_hold_no_client_id(self, first_run):
        project, process = first_run
        with tarfile.open(project.folder / "data/sample/es.tar.gz") as archive:
            name = next(name for name in archive.getnames() if name.endswith("/validated.tsv"))
            file = archive.extractfile(name)
            assert file is not None
            ids = set(CLIENT_ID.findall(file.read().decode()))
        assert len(ids) > 8  # what is looked for below does occur in the corpus
        starts = [client_id[:16] for client_id in ids]
        texts = {"the output": process.stdout + process.stderr}
        for top in ("metrics", "plots", "models", "data/splits", "data/clips"):
            for path in filter(Path.is_file, (project.folder / top).rglob("*")):
                # Parquet is compressed: its bytes would hide an id.
                texts[str(path)] = (
                    pd.read_parquet(path).to_csv()
                    if path.suffix == ".parquet"
                    else path.read_bytes().decode("latin-1")
                )
        assert any(name.endswith("predictions.parquet") for name in texts)
        for where, text in texts.items():
            assert not CLIENT_ID.search(text), where
            assert not any(start in text for start in starts), where

    def test_a_second_repro_runs_what_always_runs_alone_and_git_sees_no_change(self, project):
        process = project.run("dvc", "repro")
        assert stages_run(process) == ALWAYS
        assert stages_restored(process) == []
        assert project.changes() == []


TRAIN = {"train", "train_pooled"}
# A file in each folder, and the stages that a comment in it makes stale.
STALE = {
    "sample/voices.py": {"sample"},
    "corpus/archive.py": {"select", "convert", "explore", "summarise", "evaluate"},
    "selection/caps.py": {"select"},
    "audio/decode.py": {"convert", "explore", "extract", "evaluate"},
    "audio/wav.py": {"convert", "explore", "extract", "pitch", "export", "evaluate"},
    "features/short_term.py": {"extract", "export", "evaluate"},
    "features/pitch.py": {"extract", "pitch", "export", "evaluate"},
    "dataset/split.py": {*("split", "split_pooled", "summarise", "evaluate"), *TRAIN},
    "networks/original.py": TRAIN | {"export", "evaluate"},
    "networks/layers.py": TRAIN | {"export", "evaluate"},
    "training/fit.py": TRAIN | {"evaluate"},
    "evaluation/metrics.py": {"summarise", "evaluate"},
    "export/graph.py": {"export"},
    "report/results.py": {"summarise", "evaluate"},
    "plots/clip.py": {"explore", "evaluate"},
    "plots/results.py": {"summarise", "evaluate"},
    "plots/style.py": {"explore", "summarise", "evaluate"},
    "tasks.py": {"split", "split_pooled"} | TRAIN | AFTER,
    "storage/shards.py": {
        *("convert", "explore", "extract", "pitch", "split", "split_pooled"),
        *("summarise", "evaluate"),
        *TRAIN,
    },
    "networks/__init__.py": {"export", "evaluate"},
    # What does its work in no result.
    "params/sections.py": set(),
    "workers/pool.py": set(),
    "storage/resume.py": set(),
    "download/fetch.py": set(),
    "progress.py": set(),
    "cli/__init__.py": set(),
    "demo/app.py": set(),
    "recognizer/recognizer.py": set(),
    "release/build.py": set(),
}


# `dvc status` with a comment in one file after the other, in one process.
WITH_COMMENTS = """
import json, sys
from pathlib import Path
from dvc.repo import Repo

found = {}
for name in sys.argv[1:]:
    path = Path("src/voicetraits", name)
    before = path.read_bytes()
    path.write_bytes(before + b"# a comment\\n")
    with Repo() as repo:
        found[name] = list(repo.status())
    path.write_bytes(before)
print(json.dumps(found))
"""


def test_a_comment_makes_only_that_stale_which_it_could_change(copied):
    found = json.loads(copied.run("python", "-P", "-c", WITH_COMMENTS, *STALE).stdout)
    # What follows from other stages alone is not yet stale: their results are unchanged.
    stale = {
        name: {stage.partition("@")[0] for stage in status} - {*ALWAYS}
        for name, status in found.items()
    }
    assert stale == STALE


def test_every_folder_of_the_library_is_touched_by_the_test_above():
    folders = {path.name for path in (ROOT / "src/voicetraits").iterdir() if path.is_dir()}
    assert {name.partition("/")[0] for name in STALE if "/" in name} == folders - {
        "__pycache__",
        "released",
    }


class TestExperiment:
    def test_a_training_parameter_reruns_the_training_and_what_follows_alone(self, experiment):
        project, process = experiment
        assert set(stages_run(process)) == {*ALWAYS, *AFTER} | TRAINING
        assert stages_restored(process) == []
        epochs = {row["epoch"] for row in project.json("plots/history.json")}
        assert epochs == {1}

    def test_going_back_takes_the_results_from_the_cache(self, experiment, tmp_path):
        project = experiment[0].copy(tmp_path / "going back")
        params = project.read_params()
        assert params["train"]["epochs"] == 1
        project.write_params(merged(params, {"train": {"epochs": 2}}))
        process = project.run("dvc", "repro")
        assert stages_run(process) == ALWAYS
        assert set(stages_restored(process)) == AFTER | TRAINING
        assert project.changes() == []

    def test_the_documented_table_of_experiments_fits_on_a_screen(self, experiment):
        project, _ = experiment
        command = ("dvc", "exp", "show", "--only-changed", "--drop", ".*[-/].*|models")
        table = project.run(*command).stdout.splitlines()
        assert "train.epochs" in table[1]
        for name in ("workspace", "main", "one-epoch"):
            assert sum(name in row for row in table) == 1, name
        assert max(map(len, table)) <= 160
        # Checksums are 32 characters wide and tell a reader nothing.
        assert not re.search(r"\b[0-9a-f]{32}\b", "\n".join(table))


class TestWayBack:
    """README: git restore --staged --worktree . && dvc repro."""

    @pytest.mark.parametrize("bits", ["the same", "other"])
    def test_it_leads_back_to_the_last_commit_on_any_machine(self, experiment, tmp_path, bits):
        project = experiment[0].copy(tmp_path / "going back")
        if bits == "other":  # than of the machine that the last commit comes from
            path = project.folder / "dvc.lock"
            lock = path.read_text(encoding="utf-8")
            foreign = re.sub(r"(path: models.*\n.*\n\s+md5: )[0-9a-f]{4}", r"\g<1>0000", lock)
            project.run("git", "restore", ".")
            path.write_text(foreign, encoding="utf-8")
            project.commit("dvc.lock")
            project.write_params(merged(project.read_params(), {"train": {"epochs": 1}}))
        project.run("git", "restore", "--staged", "--worktree", ".")
        process = project.run("dvc", "repro")
        assert stages_run(process) == ALWAYS
        assert project.read_params()["train"]["epochs"] == 2
        epochs = {row["epoch"] for row in project.json("plots/history.json")}
        assert epochs == {1, 2}
        for name in (MODELS[0], MODELS[2]):
            assert (project.folder / "models" / name / "model.weights.h5").is_file()


class TestPull:
    """Another clone, and the remote folder with everything that the first has made."""

    @pytest.fixture
    def clone(self, copied, tmp_path) -> Project:
        copied.run("dvc", "push")
        copied.run("git", "clone", "--quiet", ".", str(tmp_path / "a clone"))
        return copied.at(tmp_path / "a clone")

    def test_nothing_is_trained_and_no_tracked_file_changes(self, clone):
        process = clone.run("dvc", "repro", "--pull", "--allow-missing")
        assert stages_run(process) == ALWAYS
        assert clone.changes() == []

    def test_what_is_stale_is_seen_and_made_from_what_is_fetched(self, clone):
        clone.write_params(merged(clone.read_params(), {"train": {"epochs": 1}}))
        # DVC stops there, as it makes nothing that what follows would need.
        seen = clone.run("dvc", "repro", "--allow-missing", "--dry", succeeds=False)
        assert "'train@gender-es-features-original'" in seen.stderr
        process = clone.run("dvc", "repro", "--pull", "--allow-missing")
        assert set(stages_run(process)) == {*ALWAYS, *AFTER} | TRAINING
        assert clone.json("metrics/summary.json")["models"]["trained"] == 3


class TestIsolatedRuns:
    """Each in a folder of its own, with the code and the parameters that it was given."""

    @staticmethod
    def mark(project: Project, accent: str) -> None:
        """Have the stage `select` write this accent for every clip."""
        path = project.folder / "src/voicetraits/selection/caps.py"
        marked = f'    return capped.assign(accent="{accent}")\n'
        original = (ROOT / "src/voicetraits/selection/caps.py").read_text(encoding="utf-8")
        path.write_text(original.replace("    return capped\n", marked), encoding="utf-8")

    def test_the_code_that_runs_is_that_of_the_time_of_queueing(self, copied):
        self.mark(copied, "queued")
        copied.run("dvc", "exp", "run", "--queue", "--name", "queued", "select@es")
        self.mark(copied, "later")
        copied.run("dvc", "exp", "run", "--temp", "--name", "temporary", "select@es")
        copied.run("dvc", "exp", "run", "--run-all", "--jobs", "1")
        for name, accent in (("queued", "queued"), ("temporary", "later")):
            copied.run("git", "restore", ".")
            copied.run("dvc", "exp", "apply", name)
            table = pd.read_parquet(copied.folder / "data/clips/es.parquet")
            assert set(table["accent"]) == {accent}

    def test_a_worktree_runs_its_own_code(self, copied, tmp_path):
        copied.run("git", "worktree", "add", "--quiet", "-b", "other", str(tmp_path / "a worktree"))
        worktree = copied.at(tmp_path / "a worktree")
        self.mark(worktree, "worktree")
        worktree.run("dvc", "repro", "select@es")
        table = pd.read_parquet(worktree.folder / "data/clips/es.parquet")
        assert set(table["accent"]) == {"worktree"}


class TestRefusal:
    @pytest.mark.parametrize(
        ("change", "message"),
        [
            ({"trian": {"epochs": 3}}, "unknown key 'trian'; did you mean 'train'?"),
            ({"split": {"test": 1.4}}, "split.test = 1.4 is not possible"),
        ],
    )
    def test_repro_stops_at_the_check(self, copied, change, message):
        copied.write_params(merged(copied.read_params(), change))
        process = copied.run("dvc", "repro", succeeds=False)
        assert f"error: params.yaml: {message}" in process.stderr
        assert "Traceback" not in process.stderr
        assert stages_run(process) == ["check"]

    @pytest.mark.parametrize(
        ("setting", "ran"), [("trian.epochs=3", []), ("split.test=1.4", ["check"])]
    )
    def test_an_experiment_stops_at_the_check_or_before(self, copied, setting, ran):
        process = copied.run("dvc", "exp", "run", "--set-param", setting, succeeds=False)
        assert setting.partition("=")[0] in process.stderr
        assert stages_run(process) == ran

    def test_results_are_not_written_through_a_link(self, copied):
        (copied.folder / "data").rename(copied.folder.parent / "disk")
        (copied.folder / "data").symlink_to(copied.folder.parent / "disk")
        copied.write_params(merged(copied.read_params(), {"train": {"epochs": 1}}))
        process = copied.run("dvc", "repro", succeeds=False)
        assert "error: data is a link, and DVC writes no results through links" in process.stderr
        assert "Traceback" not in process.stderr
        assert stages_run(process) == ["check"]


class TestSeveralCores:
    """What `make repro` runs."""

    def test_it_leads_where_one_stage_after_the_other_leads(self, copied, experiment):
        copied.write_params(merged(copied.read_params(), {"train": {"epochs": 1}}))
        process = copied.run("python", "-m", "stages._repro")
        said = process.stderr.splitlines()
        assert (said[0], said[-1]) == ("check done", "summarise done")
        assert all(re.match("(check|prepare|train|evaluate|summarise)( |$)", line) for line in said)
        for path in ("metrics/summary.json", "metrics/results.json"):
            assert copied.json(path) == experiment[0].json(path)
        status = json.loads(copied.run("dvc", "status", "--json").stdout)
        assert status == {stage: ["always changed"] for stage in ALWAYS}
        assert (copied.folder / "report.html").is_file()

    def test_what_the_check_refuses_is_the_last_that_is_said(self, copied):
        copied.write_params(merged(copied.read_params(), {"trian": {"epochs": 3}}))
        process = copied.run("python", "-m", "stages._repro", succeeds=False)
        *_, reason, stage = process.stderr.splitlines()
        assert reason.startswith("error: params.yaml: unknown key 'trian'")
        assert stage.startswith("ERROR: failed to reproduce 'check'")
        assert process.stdout == ""


class TestShow:
    def test_metrics_name_every_model_estimator_and_metric(self, project):
        shown = project.run("dvc", "metrics", "show", "metrics/models.json").stdout
        for name in (MODELS[0], MODELS[2], MODELS[3]):
            for estimator in ("network", "linear", "pitch", "majority"):
                assert f"{name}.{estimator}.balanced_accuracy" in shown

    def test_the_difference_of_metrics_is_in_the_order_of_the_models(self, experiment):
        command = ("dvc", "metrics", "diff", "main", "--targets", "metrics/models.json")
        shown = experiment[0].run(*command).stdout.splitlines()
        names = [line.split()[1].partition(".")[0] for line in shown[1:]]
        assert list(dict.fromkeys(names)) == [name for name in sorted(MODELS) if name in names]

    def test_plots_open_without_a_network_and_leave_git_clean(self, copied):
        # As the Makefile sets it up.
        copied.run("python", "-m", "voicetraits.plots.page", ".dvc/plots/page.html")
        copied.run("dvc", "config", "--local", "plots.html_template", "plots/page.html")
        address = copied.run("dvc", "plots", "show").stdout.strip()
        assert address.startswith("file://")
        page = (copied.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
        pipeline = yaml.safe_load((copied.folder / "dvc.yaml").read_text(encoding="utf-8"))
        titles = [
            options["title"]
            for plot in pipeline["stages"]["summarise"]["plots"]
            for options in plot.values()
            if "title" in options
        ]
        assert len(titles) == 6
        for title in titles:
            assert page.count(title) == 1
        assert page.count("vegaEmbed(") == len(titles)  # and nothing in DVC's own default look
        for image in (
            "results",
            f"undersampling_{MODELS[2]}",
            "explore_es_counts",
            "explore_en_example",
        ):
            assert f"plots_{image}.png" in page
        assert "jsdelivr" not in page
        assert copied.changes() == []

    def test_the_graph_names_every_stage(self, project):
        graph = project.run("dvc", "dag", "--mermaid").stdout
        assert set(re.findall(r'\["(.+)"\]', graph)) == STAGES


class TestCorpusElsewhere:
    """corpus.path names a folder outside the repository, as it does for the real Common Voice."""

    def test_it_runs_to_the_end_without_the_sample(self, elsewhere):
        ran = {stage.partition("@")[0] for stage in stages_run(elsewhere[1])}
        everything = {stage.partition("@")[0] for stage in STAGES}
        # These are no part of the summary.
        assert ran == everything - {"sample", "explore", "export", "evaluate", "report"}

    def test_bad_clips_are_counted_with_their_reasons_and_the_others_go_on(self, elsewhere):
        project, process = elsewhere
        assert project.json("metrics/summary.json")["clips"] == {
            "excluded": 2,
            "converted": 2 * (4 + 4 + 1 + 1) - 2,
        }
        reasons = {
            row["reason"]: row["clips"]
            for row in project.json("metrics/corpus.json")
            if row["outcome"] == "excluded"
        }
        assert sorted(reasons.values()) == [1, 1]
        assert "listed in the table, not in the corpus" in reasons
        assert any(reason.startswith("not readable as audio") for reason in reasons)
        for name in ("es_male_0_0.mp3", "es_male_1_1.mp3"):
            assert f"  {name}: " in process.stdout

    @pytest.mark.parametrize(
        ("name", "reason"),
        [
            ("gender-en-spectrogram-original", "1 male, 1 female speakers, 3 of each needed"),
            ("language-all-spectrogram-original", "2 en, 8 es speakers, 3 of each needed"),
            ("age-all-spectrogram-original", "0 young, 0 middle, 0 old speakers, 3 of each needed"),
        ],
    )
    def test_a_model_with_too_few_speakers_is_skipped_and_says_why(self, elsewhere, name, reason):
        project, process = elsewhere
        assert f"{name}: skipped: {reason}" in process.stdout
        assert project.json("metrics/models.json")[name] == {"skipped": reason}
        assert reason in project.run("dvc", "metrics", "show").stdout

    def test_the_other_model_is_trained_on_spectrograms(self, elsewhere):
        project, _ = elsewhere
        counts = project.json("metrics/summary.json")["models"]
        assert (counts["trained"], counts["skipped"]) == (1, 3)
        name = "gender-es-spectrogram-original"
        assert 0 <= project.json("metrics/models.json")[name]["network"]["roc_auc"] <= 1
        assert project.json(f"models/{name}/model.json")["shape"] == [68, 16]

    @pytest.mark.parametrize("gone", ["all", "en"])
    def test_a_corpus_that_has_gone_stops_the_run_and_removes_nothing(
        self, elsewhere, tmp_path, gone
    ):
        project = elsewhere[0].copy(tmp_path / "without corpus")
        corpus = tmp_path / "corpus"
        shutil.copytree(project.read_params()["corpus"]["path"], corpus)
        # As if it had always been there: the check has passed, and nothing has changed since.
        path = project.folder / "dvc.lock"
        lock = path.read_text(encoding="utf-8")
        there = project.read_params()["corpus"]["path"]
        path.write_text(lock.replace(there, str(corpus)), encoding="utf-8")
        project.write_params(merged(project.read_params(), {"corpus": {"path": str(corpus)}}))
        shutil.rmtree(corpus if gone == "all" else corpus / gone)
        before = folder_bytes(project.folder / "models")
        process = project.run("dvc", "repro", succeeds=False)
        assert "error: params.yaml: corpus.path" in process.stderr
        assert str(corpus) in process.stderr
        assert stages_run(process) == ["check"]
        assert folder_bytes(project.folder / "models") == before
        assert (project.folder / "metrics/summary.json").is_file()

    def test_plots_are_shown_though_a_task_has_none(self, elsewhere):
        project, _ = elsewhere
        assert {row["task"] for row in project.json("plots/history.json")} == {"gender"}
        project.run("dvc", "plots", "show")
        page = (project.folder / "dvc_plots/index.html").read_text(encoding="utf-8")
        assert "Loss by epoch" in page


def write_corpus(folder: Path, locale: str, *, male: int, female: int) -> None:
    """An unpacked Common Voice 17 folder of one locale: two clips a speaker, tones in noise."""
    (folder / locale / "clips").mkdir(parents=True)
    rng = np.random.default_rng(len(locale) + male)
    rows = ["client_id\tpath\tsentence\tage\tgender\taccents\tvariant\tlocale\tsegment"]
    for gender, speakers, pitch in (
        ("male_masculine", male, 120.0),
        ("female_feminine", female, 210.0),
    ):
        for speaker in range(speakers):
            label = gender.partition("_")[0]
            client_id = hashlib.sha512(f"{locale} {gender} {speaker}".encode()).hexdigest()
            for clip in range(2):
                name = f"{locale}_{label}_{speaker}_{clip}.mp3"
                signal = tone(pitch + 5 * speaker, 32000, seconds=0.8)
                signal += rng.normal(0, 0.01, len(signal))
                (folder / locale / "clips" / name).write_bytes(audio_file(signal, 32000, "MP3"))
                rows.append(f"{client_id}\t{name}\tUn.\t\t{gender}\t\t\t{locale}\t")
    (folder / locale / "validated.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
