"""The check refuses a corpus that lacks a locale before any stage removes earlier results."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml
from conftest import COMMITTED, ROOT

from stages._leftovers import remove_leftovers
from stages._names import check_names
from stages.check import folders
from voicetraits.corpus.declared import check_corpus
from voicetraits.errors import InputError
from voicetraits.params import Params, ParamsError
from voicetraits.storage.links import check_folders, date_anew


@pytest.mark.parametrize(
    ("changes", "why"),
    [
        ({"representations": ["spectogram"]}, "representations names 'spectogram'.*'spectrogram'"),
        ({"networks": ["orignal"]}, "networks names 'orignal'.*'original'"),
        ({"undersample": "one-sided"}, r"tasks\.gender\.undersample .*'one_sided'"),
        ({"metrics": ["roc"]}, r"tasks\.gender\.metrics names 'roc'.*'roc_auc'"),
        ({"classes": ["male", "female", "other"]}, "names f1, which is for two classes, .* 3"),
        ({"classes": ["male", "femal"]}, r"tasks\.gender\.classes names 'femal'.*'female'"),
    ],
)
def test_a_name_that_nothing_has_is_refused_with_the_nearest(
    edited_params: Callable[..., Params], changes: dict, why: str
) -> None:
    tasks = edited_params().model_dump()["tasks"]
    lists = {
        name: value for name, value in changes.items() if name in ("representations", "networks")
    }
    check_names(edited_params())
    changed = {
        **tasks,
        "gender": {**tasks["gender"], **{k: v for k, v in changes.items() if k not in lists}},
    }
    with pytest.raises(ParamsError, match=why):
        check_names(edited_params(**lists, tasks=changed))


def test_the_sample_corpus_needs_speakers_of_every_locale(
    edited_params: Callable[..., Params],
) -> None:
    check_corpus(edited_params(locales=["es", "de"]))
    with pytest.raises(InputError, match=r"locales names it.*it has es, en, fr, de"):
        check_corpus(edited_params(locales=["es", "it"]))


def test_the_sample_corpus_has_one_ending(edited_params: Callable[..., Params]) -> None:
    with pytest.raises(InputError, match=r"corpus\.ending = '\.tar'.*sample corpus"):
        check_corpus(edited_params(corpus={"ending": ".tar"}))


def test_a_corpus_needs_an_archive_or_a_folder_of_every_locale(
    edited_params: Callable[..., Params], tmp_path: Path
) -> None:
    (tmp_path / "es.tar.gz").touch()
    there = {"path": str(tmp_path)}
    check_corpus(edited_params(corpus=there, locales=["es"]))
    with pytest.raises(InputError, match=r"nothing for locale 'en'.*found es\.tar\.gz"):
        check_corpus(edited_params(corpus=there, locales=["es", "en"]))


def test_a_corpus_folder_has_to_be_there(
    edited_params: Callable[..., Params], tmp_path: Path
) -> None:
    missing = {"path": str(tmp_path / "none")}
    with pytest.raises(InputError, match=r"corpus\.path = .*none' is not a folder"):
        check_corpus(edited_params(corpus=missing))


def test_a_web_page_in_place_of_an_archive_is_refused_before_any_work(
    edited_params: Callable[..., Params], tmp_path: Path
) -> None:
    (tmp_path / "es.tar.gz").write_text("<!DOCTYPE html><html>Please sign in</html>")
    with pytest.raises(InputError, match=r"es\.tar\.gz: is no archive but a web page"):
        check_corpus(edited_params(corpus={"path": str(tmp_path)}, locales=["es"]))


@pytest.mark.parametrize("ending", [".zip", ".tgz", ".tar.bz2", ".tar.xz", ".tar.zst"])
def test_archives_of_other_kinds_have_their_endings(
    edited_params: Callable[..., Params], tmp_path: Path, ending: str
) -> None:
    (tmp_path / f"es{ending}").touch()
    check_corpus(edited_params(corpus={"path": str(tmp_path), "ending": ending}, locales=["es"]))
    with pytest.raises(InputError, match=rf"there is es{ending}; set it to '{ending}'"):
        check_corpus(edited_params(corpus={"path": str(tmp_path)}, locales=["es"]))


def test_the_ending_has_to_be_that_of_what_is_there(
    edited_params: Callable[..., Params], tmp_path: Path
) -> None:
    (tmp_path / "es.tar").touch()
    with pytest.raises(
        InputError, match=r"corpus\.ending = '\.tar\.gz'.*es\.tar; set it to '\.tar'"
    ):
        check_corpus(edited_params(corpus={"path": str(tmp_path)}, locales=["es"]))
    check_corpus(edited_params(corpus={"path": str(tmp_path), "ending": ".tar"}, locales=["es"]))


def test_an_isolated_run_says_that_it_needs_the_whole_path(
    edited_params: Callable[..., Params], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    isolated = tmp_path / ".dvc" / "tmp" / "exps" / "standalone" / "tmp1"
    isolated.mkdir(parents=True)
    monkeypatch.chdir(isolated)
    params = edited_params(corpus={"path": "data/common_voice"})
    with pytest.raises(ParamsError, match=re.escape(f"path: {tmp_path / 'data/common_voice'}")):
        check_corpus(params)


def test_what_earlier_parameters_have_left_is_removed(
    edited_params: Callable[..., Params], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    other = {"name": "other", "path": "data/own", "ending": ""}
    params = edited_params(locales=["es"], beside=[other], representations=["features"])
    sidecar = {"task": {"name": "gender"}, "locale": "ca", "representation": "features"}
    sidecar["network"] = "original"
    stays = [
        *("data/clips/es.parquet", "data/pitch/es.parquet", "data/splits/gender-es.parquet"),
        *("data/wav/es/00000.tar", "data/features/es/00000.npy", "data/mel/es/00000.npy"),
        *("data/splits/language-all.parquet", "data/clips/.gitignore", "data/clips/notes.txt"),
        *("data/beside/corpora.txt", "data/beside/other/es/clips.parquet"),
        *("data/spectrogram/ca/00000.npy", "data/own/ca/clips/x.mp3", "data/sample/ca.tar.gz"),
        *("models/gender-es-features-original/model.json", "models/mine/model.json"),
        *("models/.partial/model.json", "models/gender-ca-features-other/notes.txt"),
    ]
    goes = [
        *("data/clips/ca.parquet", "data/pitch/ca.parquet", "data/splits/gender-ca.parquet"),
        *("data/wav/ca/00000.tar", "data/features/ca/00000.npy", "data/mel/ca/00000.npy"),
        *("data/beside/old/es/clips.parquet", "data/beside/other/ca/clips.parquet"),
        "models/gender-ca-features-original/model.json",
    ]
    for name in (*stays, *goes):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_text(json.dumps(sidecar), "utf-8")
    Path("elsewhere").mkdir()
    Path("data/wav/linked").symlink_to(Path("elsewhere").absolute())
    removed = remove_leftovers(params)
    assert len(removed) == len(goes)
    assert [name for name in (*stays, "data/wav/linked") if not Path(name).exists()] == []
    assert [name for name in goes if Path(name).exists()] == []
    assert remove_leftovers(params) == []


@pytest.mark.parametrize("name", ["data", "models", "metrics", "plots", "data/wav", "data/splits"])
def test_a_link_above_the_results_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.chdir(tmp_path)
    check_folders(folders(COMMITTED))
    Path("disk").mkdir()
    Path(name).parent.mkdir(exist_ok=True)
    Path(name).symlink_to(Path("disk").absolute())
    with pytest.raises(InputError, match=rf"^{name} is a link, and DVC writes .*rm {name} &&"):
        check_folders(folders(COMMITTED))


def test_every_folder_above_a_result_is_looked_at(
    edited_params: Callable[..., Params], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pipeline = yaml.safe_load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))
    bodies = [stage.get("do", stage) for stage in pipeline["stages"].values()]
    outs = [
        name if isinstance(name, str) else next(iter(name))
        for body in bodies
        for kind in ("outs", "metrics", "plots")
        for name in body.get(kind, [])
    ]
    params = edited_params(
        locales=["es"],
        representations=["features", "spectrogram"],
        beside=[{"name": "other", "path": "data/other", "ending": ""}],
    )
    names = {"${item.locale}": "es", "${item.corpus.name}": "other"}
    for name, value in names.items():
        outs = [out.replace(name, value) for out in outs]
    outs = [
        out.replace("${item.representation}", each)
        for out in outs
        for each in params.representations
    ]
    above = {parent for out in outs for parent in Path(out).parents if parent != Path()}
    assert {Path("data/spectrogram"), Path("data/beside/other/es")} <= above
    for number, parent in enumerate(above):
        link = tmp_path / str(number) / parent
        link.parent.mkdir(parents=True)
        link.symlink_to("nowhere")
        monkeypatch.chdir(tmp_path / str(number))
        with pytest.raises(InputError, match=f"^{parent} is a link"):
            check_folders(folders(params))


def test_git_sees_a_change_that_dvc_made_in_the_second_of_its_last_look(tmp_path: Path) -> None:
    def git(*arguments: str) -> str:
        # As if the file were changed in that second, which no test can be sure to hit.
        command = ["git", "-c", "core.trustctime=false", "-C", str(tmp_path), *arguments]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout

    params, second = tmp_path / "params.yaml", 1_700_000_000
    git("init", "--quiet")
    params.write_text("test: 0.3\n", encoding="utf-8")
    os.utime(params, (second, second))
    git("add", "params.yaml")
    params.write_text("test: 1.4\n", encoding="utf-8")
    os.utime(params, (second, second))
    assert git("diff", "--name-only") == ""
    date_anew(params)
    assert git("diff", "--name-only") == "params.yaml\n"
    git("restore", ".")
    assert params.read_text(encoding="utf-8") == "test: 0.3\n"


def test_a_file_changed_just_now_gets_the_date_of_another_second(tmp_path: Path) -> None:
    file = tmp_path / "params.yaml"
    for _ in range(3):
        file.touch()
        before = int(file.stat().st_mtime)
        date_anew(file)
        assert int(file.stat().st_mtime) != before
    date_anew(tmp_path / "none")


def test_a_python_without_the_packages_is_told_to_activate_the_environment() -> None:
    # -S: without what is installed. As the python of a machine, the environment not being active.
    ran = subprocess.run(
        [sys.executable, "-S", "-m", "stages.check"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 1
    assert ran.stderr.startswith(f"error: {sys.executable} lacks the packages of the pipeline; ")
    assert ran.stderr.count("\n") == 1
    assert "source .venv/bin/activate" in ran.stderr
