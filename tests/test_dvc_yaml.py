"""dvc.yaml names what a stage reads, no more and no fewer: a change reruns what it can change."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
import yaml
from conftest import ROOT, imported, replace_training

from voicetraits.networks import NETWORKS
from voicetraits.params import Section, load_params

# They move bytes, show progress and start processes; what they do shows in no result.
PLUMBING = {
    "src/voicetraits/networks/__init__.py",  # names alone: each network's own module is declared
    "stages/_inputs.py",
    "stages/_run.py",
    "src/voicetraits/workers/cluster.py",
    "src/voicetraits/errors.py",
    "src/voicetraits/storage/files.py",
    "src/voicetraits/workers/imports.py",
    "src/voicetraits/workers/memory.py",
    "src/voicetraits/output.py",
    # What a stage reads of it is declared key by key.
    "src/voicetraits/params/__init__.py",
    "src/voicetraits/params/load.py",
    "src/voicetraits/params/sections.py",
    "src/voicetraits/params/tasks.py",
    "src/voicetraits/params/values.py",
    "src/voicetraits/workers/pool.py",
    "src/voicetraits/progress.py",
    "src/voicetraits/storage/resume.py",
}
# It runs every time, whatever has changed.
ALWAYS = "check"
PINS = "src/voicetraits/workers/environment.py"  # imported by stages/__init__.py, for every stage


def stages() -> dict[str, dict[str, Any]]:
    """Body of every stage of dvc.yaml by its name."""
    declared = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    return {name: body.get("do", body) for name, body in declared.items()}


def script(body: dict[str, Any]) -> str:
    """The module of stages/ that a stage runs."""
    return re.match(r"python -m stages\.(\w+)", body["cmd"])[1]


def modules_of(name: str) -> set[str]:
    """What a stage's script imports, in any number of steps, itself included."""
    found: set[Path] = set()
    waiting = [ROOT / "stages" / f"{name}.py", ROOT / PINS]
    if name == "train":  # which loads the network that it is given, and no other
        waiting += [ROOT / "src/voicetraits/networks" / f"{each}.py" for each in NETWORKS]
    while waiting:
        path = waiting.pop()
        if path not in found:
            found.add(path)
            waiting += imported(path)
    return {str(path.relative_to(ROOT)) for path in found} - PLUMBING


def test_the_lock_remembers_no_stage_that_is_gone():
    # DVC reads and writes all of it for every stage that runs.
    locked = yaml.safe_load((ROOT / "dvc.lock").read_text(encoding="utf-8"))["stages"]
    assert {name.partition("@")[0] for name in locked} <= set(stages())


@pytest.mark.parametrize("name", sorted(set(stages()) - {ALWAYS}))
def test_a_stage_depends_on_the_modules_that_it_imports_and_no_others(name):
    body = stages()[name]
    deps = {
        dep.replace("${item.network}", network)
        for dep in body["deps"]
        for network in NETWORKS
        if dep.startswith(("src/", "stages/")) and "${key}" not in dep
    }
    modules = modules_of(script(body))
    missing = {
        module
        for module in modules
        if not any(module == dep or module.startswith(f"{dep}/") for dep in deps)
    }
    superfluous = {
        dep
        for dep in deps
        if not any(module == dep or module.startswith(f"{dep}/") for module in modules)
    }
    assert (missing, superfluous) == (set(), set())


TRAIN = {name for name in stages() if name.startswith("train")}


@pytest.mark.parametrize(
    ("room", "rerun"),
    [
        ("selection", {"select", "select_beside"}),
        ("plots", {"explore", "summarise", "evaluate", "report"}),
        (
            "features",
            {
                *("extract", "extract_beside", "extract_frames", "extract_frames_beside"),
                *("pitch", "export", "evaluate"),
            },
        ),
        ("training", TRAIN | {"evaluate"}),
        ("evaluation", {"summarise", "evaluate", "report"}),
        ("report", {"explore", "summarise", "evaluate", "report"}),
    ],
)
def test_a_change_in_a_folder_reruns_the_stages_of_that_step(room, rerun):
    path = f"src/voicetraits/{room}"
    found = {
        name
        for name, body in stages().items()
        if any(dep == path or dep.startswith(f"{path}/") for dep in body.get("deps", []))
    }
    assert found == rerun


@pytest.mark.parametrize("name", [name for name in stages() if name.startswith("train")])
def test_a_model_depends_on_its_own_network_and_on_no_other(name):
    folder = "src/voicetraits/networks/"
    deps = {dep.removeprefix(folder) for dep in stages()[name]["deps"] if dep.startswith(folder)}
    assert "${item.network}.py" in deps
    assert not deps & {"", *(f"{network}.py" for network in NETWORKS)}


def test_plumbing_is_there_and_is_used():
    assert all((ROOT / path).is_file() for path in PLUMBING)
    used = {
        str(path.relative_to(ROOT))
        for module in (ROOT / "src").rglob("*.py")
        for path in imported(module)
    } | {
        str(path.relative_to(ROOT)) for s in (ROOT / "stages").glob("*.py") for path in imported(s)
    }
    assert used >= PLUMBING


def test_the_page_comes_after_all_that_others_write_to_metrics_and_plots():
    written = {
        out if isinstance(out, str) else next(iter(out))
        for body in stages().values()
        for kind in ("outs", "metrics", "plots")
        for out in body.get(kind, [])
    }
    shown = {path for path in written if path.startswith(("metrics/", "plots/"))}
    assert "metrics/results.json" in shown
    assert shown <= set(stages()["report"]["deps"])


def test_the_check_has_nothing_that_could_keep_it_from_running():
    assert stages()[ALWAYS]["always_changed"] is True


SMALL: dict[str, Any] = {
    "locales": ["es", "en"],
    "representations": ["features"],
    "networks": ["original"],
    "models": {"per_locale": ["gender"], "pooled": ["language"]},
    "sample": {
        "speakers": {"es": 8, "en": 8},
        "female": 0.5,
        "clips_min": 1,
        "clips_max": 2,
    },
    "corpus": {"source": "^[a-z]+"},
    "beside": [{"name": "other", "path": "data/sample", "ending": ".tar.gz"}],
    "clip": {"seconds": 1.0},
    "extract": {"frames": 16},
    "split": {"min_speakers": 3},
    "frames": {
        "representations": ["mel"],
        "networks": ["tdnn"],
        "per_locale": ["gender"],
        "joined": ["language_and_gender"],
        "crop": 20,
    },
}
LOCALES = SMALL["locales"]
# Stage of dvc.yaml, and what its command is given; the name of its script comes first.
RUNS: list[tuple[str, ...]] = [
    *((name, locale) for locale in LOCALES for name in ("sample", "select", "convert")),
    *(("extract", locale, "features") for locale in LOCALES),
    *(("extract_frames", locale, "mel") for locale in LOCALES),
    *(("pitch", locale) for locale in LOCALES),
    *((f"{name}_beside", locale, "other") for locale in LOCALES for name in ("select", "convert")),
    *(("extract_beside", locale, "features", "other") for locale in LOCALES),
    *(("extract_frames_beside", locale, "mel", "other") for locale in LOCALES),
    *(("split", "gender", locale) for locale in LOCALES),
    ("split_pooled", "language", "all"),
    ("split_joined", "language_and_gender", "all"),
    *(("train", "gender", locale, "features", "original") for locale in LOCALES),
    ("train_pooled", "language", "all", "features", "original"),
    *(("train_frames", "gender", locale, "mel", "tdnn") for locale in LOCALES),
    ("train_frames_pooled", "language", "all", "mel", "tdnn"),
    ("train_frames_joined", "language_and_gender", "all", "mel", "tdnn"),
    ("explore",),
    ("summarise",),
    ("export",),
    ("evaluate",),
    ("report",),
]

# Some parameters are asked for only where a model is skipped.
TOO_FEW_SPEAKERS = {**SMALL, "split": {"min_speakers": 50}}
AGAIN = [run for run in RUNS if run[0].startswith(("split", "train"))]


@pytest.fixture(scope="module")
def read_keys(tmp_path_factory) -> dict[str, set[str]]:
    """Keys of params.yaml that a run of every stage reads, by stage."""
    folder = tmp_path_factory.mktemp("project")
    committed = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    found: dict[str, set[str]] = {}
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.setenv("VOICETRAITS_WORKERS", "1")
        replace_training(patch)
        patch.setattr("stages.export.export_folder", lambda folder, out, **_: out.touch())
        for changes, runs in ((SMALL, RUNS), (TOO_FEW_SPEAKERS, AGAIN)):
            params = {name: changed(value, changes.get(name)) for name, value in committed.items()}
            Path("params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
            for name, *arguments in runs:
                params = watched(load_params(), found.setdefault(name, set()))
                stage = import_module(f"stages.{name.partition('_')[0]}")
                patch.setattr(stage, "load_params", lambda params=params: params)
                stage.main(*arguments)
    return found


def changed(value: Any, change: Any) -> Any:
    """A value of params.yaml with some of its keys, or all of it, replaced."""
    if change is None:
        return value
    return {**value, **change} if isinstance(value, dict) else change


def watched(params: Section, keys: set[str], prefix: str = "") -> Section:
    """The same parameters; their keys are noted as they are read."""
    kind = type(params)

    class Watched(kind):  # type: ignore[misc, valid-type]
        def __getattribute__(self, name: str) -> Any:
            found = super().__getattribute__(name)
            if name == "model_dump":
                keys.update(prefix + field for field in kind.model_fields)
            elif isinstance(found, Section):
                return watched(found, keys, f"{prefix}{name}.")
            elif name == "tasks":
                return WatchedTasks(found, keys)
            elif name in kind.model_fields:
                keys.add(prefix + name)
            return found

    return Watched.model_construct(**dict(params))


class WatchedTasks(dict):
    """The declared tasks; one that is asked for is noted as DVC is to know it."""

    def __init__(self, tasks: dict[str, Any], keys: set[str]) -> None:
        super().__init__(tasks)
        self.keys_read = keys

    def __getitem__(self, name: str) -> Any:
        self.keys_read.add("tasks.${item.task}")
        return super().__getitem__(name)


# Training is replaced here: it has the whole section, and reads it.
NOT_RUN = {"train": "train", "train_pooled": "train"}
NOT_RUN |= {name: "frames" for name in stages() if name.startswith("train_frames")}


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(set(stages()) - {ALWAYS}))
def test_a_stage_declares_the_parameters_that_it_reads_and_no_others(name, read_keys):
    declared = {key.removesuffix(".${key}") for key in stages()[name].get("params", [])}
    read = read_keys[name]
    if name in NOT_RUN:
        read = read | {NOT_RUN[name]}
    undeclared = {
        key for key in read if not any(key == d or key.startswith(f"{d}.") for d in declared)
    }
    unread = {d for d in declared if not any(key == d or key.startswith(f"{d}.") for key in read)}
    assert (undeclared, unread) == (set(), set())


def test_every_stage_is_run_by_these_tests(read_keys):
    assert set(read_keys) == set(stages()) - {ALWAYS}
