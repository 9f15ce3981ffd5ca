"""`make experiment`: what is refused before any work, and how parameters are changed."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest
from conftest import ROOT
from ruamel.yaml import YAML

from stages import _experiment
from stages._experiment import change_params, require_usable, split_changes
from voicetraits.errors import InputError
from voicetraits.params import load_params


def git(*arguments: str) -> str:
    """Run Git in the current folder."""
    identity = ("-c", "user.name=t", "-c", "user.email=t@example.org")
    command = ["git", *identity, *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


@pytest.fixture
def params(tmp_path, monkeypatch) -> Path:
    """The committed params.yaml, in a folder of its own."""
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "params.yaml"
    path.write_bytes((ROOT / "params.yaml").read_bytes())
    return path


@pytest.fixture
def repository(params) -> Path:
    """A Git repository with one commit."""
    git("init", "--quiet")
    git("add", "params.yaml")
    git("commit", "--quiet", "--message", "Begin")
    return params.parent


@pytest.mark.parametrize(
    ("text", "changes"),
    [
        ("", []),
        ("  ", []),
        ("train.epochs=8", ["train.epochs=8"]),
        ("clip.seconds=2  train.epochs=8\n", ["clip.seconds=2", "train.epochs=8"]),
        ('corpus.path="/my disk/a" seed=1', ['corpus.path="/my disk/a"', "seed=1"]),
        ("corpus.path='/my disk/a'", ["corpus.path='/my disk/a'"]),
        (r'corpus.path="/a \"b\" c" seed=1', [r'corpus.path="/a \"b\" c"', "seed=1"]),
        ("locales=[es, en] seed=1", ["locales=[es, en]", "seed=1"]),
        ("sample.speakers={es: 60, en: 60}", ["sample.speakers={es: 60, en: 60}"]),
    ],
)
def test_spaces_divide_changes_but_not_values(text, changes):
    assert split_changes(text) == changes


def test_parameters_are_changed_and_all_others_stay(params):
    before = YAML(typ="safe").load(params.read_text(encoding="utf-8"))
    corpus = params.parent / "my disk, b"
    for locale in before["locales"]:
        (corpus / locale / "clips").mkdir(parents=True)
        (corpus / locale / "validated.tsv").write_text("client_id\tpath\n", "utf-8")
    ending = 'corpus.ending=""'
    change_params([f'corpus.path="{corpus}"', ending, "train.epochs=8", "clip.seconds=2"])
    after = YAML(typ="safe").load(params.read_text(encoding="utf-8"))
    before["corpus"] |= {"path": str(corpus), "ending": ""}
    before["train"]["epochs"] = 8
    before["clip"]["seconds"] = 2
    assert after == before
    change_params(["locales=[en, es]"])
    assert load_params(params).locales == ["en", "es"]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ("trian.epochs=3", "unknown key 'trian'; did you mean 'train'?"),
        ("split.test=1.4", "split.test = 1.4 is not possible"),
        ("networks=[orignal]", "networks names 'orignal'.*'original'"),
        ("corpus.path=nowhere", "corpus.path = 'nowhere' is not a folder"),
        ("train.epochs", "SET=seed=5 train.epochs: .* override 'train.epochs'"),
        ("locales=[es", r"SET=seed=5 locales=\[es: "),
        ("seed.deep=1", "seed"),
        ("~train.epochs", "missing key 'train.epochs'"),
    ],
)
def test_a_refused_change_is_one_line_and_leaves_the_file_as_it_was(params, change, message):
    before = params.read_bytes()
    with pytest.raises(InputError, match=message) as error:
        change_params(["seed=5", change])
    assert "\n" not in str(error.value)
    assert params.read_bytes() == before
    assert [path.name for path in params.parent.iterdir()] == ["params.yaml"]


def test_no_change_is_refused(params):
    with pytest.raises(InputError, match="SET: it names no change"):
        change_params([])


@pytest.mark.usefixtures("repository")
@pytest.mark.parametrize("name", ["a b", "a/b", "a..b", "-a", "a~", "a.lock", "a:b", "@{"])
def test_a_name_that_git_refuses_is_named(name):
    with pytest.raises(InputError, match=rf"^NAME={re.escape(name)}: Git refuses"):
        require_usable(name, force=True)


@pytest.mark.usefixtures("repository")
def test_an_experiment_is_replaced_only_where_that_is_asked_for():
    require_usable("shorter", force=False)
    head = git("rev-parse", "HEAD")
    git("update-ref", f"refs/exps/{head[:2]}/{head[2:]}/shorter", head)
    with pytest.raises(InputError, match=r"^NAME=shorter: there is an experiment of this name"):
        require_usable("shorter", force=False)
    require_usable("shorter", force=True)
    require_usable("longer", force=False)


@pytest.mark.usefixtures("params")
def test_without_git_or_a_commit_it_is_refused(monkeypatch):
    with pytest.raises(InputError, match="no Git repository with a commit"):
        require_usable("shorter", force=False)
    git("init", "--quiet")
    with pytest.raises(InputError, match="no Git repository with a commit"):
        require_usable("shorter", force=False)
    monkeypatch.setenv("PATH", "")
    with pytest.raises(InputError, match="no Git repository with a commit"):
        require_usable("shorter", force=False)


@pytest.mark.parametrize(
    ("variables", "said"),
    [
        ({"SET": "seed=1"}, "error: NAME: the experiment has no name; e.g. make experiment"),
        ({"NAME": "a", "SET": " "}, "error: SET: it names no change"),
        ({"NAME": "a", "SET": "seed=-1"}, "error: params.yaml: seed = -1 is not possible"),
    ],
)
@pytest.mark.usefixtures("repository")
def test_what_is_refused_is_so_before_any_work(monkeypatch, variables, said):
    for name in ("NAME", "SET", "FORCE"):
        monkeypatch.delenv(name, raising=False)
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    worked = []
    monkeypatch.setattr(_experiment, "repro", lambda: worked.append("repro"))
    with pytest.raises(SystemExit) as ended:
        _experiment.main()
    assert str(ended.value.code).startswith(said)
    assert worked == []


@pytest.mark.usefixtures("repository")
def test_an_experiment_is_run_saved_and_compared(params, monkeypatch, capsys):
    done = []
    monkeypatch.setenv("NAME", "shorter")
    monkeypatch.setenv("SET", "train.epochs=2 seed=7")
    monkeypatch.setenv("FORCE", "1")

    def repro():
        done.append(load_params(params).train.epochs)
        (params.parent / "metrics").mkdir()
        (params.parent / "metrics" / "new.json").touch()
        (params.parent / "other").touch()

    monkeypatch.setattr(_experiment, "repro", repro)
    monkeypatch.setattr(_experiment, "_dvc", lambda *arguments: done.append(arguments))
    _experiment.main()
    assert done == [
        2,
        (
            *("exp", "save", "--quiet", "--name", "shorter", "--force"),
            "--include-untracked=metrics/new.json",
        ),
        ("params", "diff"),
        ("metrics", "diff", "--targets", "metrics/summary.json"),
    ]
    assert capsys.readouterr().out.startswith("Experiment shorter, against the last commit:")
