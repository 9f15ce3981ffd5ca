"""The command that `voicetraits download` prints goes through shell and DVC to the folder meant."""

from __future__ import annotations

import shlex
import subprocess
import tempfile
from pathlib import Path

import pytest
from dvc.utils.cli_parse import to_path_overrides
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps
from dvc.utils.serialize import load_yaml
from hypothesis import example, given, settings
from hypothesis import strategies as st

from voicetraits.download.arguments import next_command, require_usable
from voicetraits.download.catalogue import FetchError

NAMES = [
    "plain",
    "my disk",
    " blanks around ",
    "größe",
    "日本",
    "cv (25)",
    "[old]",
    "{x}",
    "a,b",
    "x=y",
    "a:b",
    "it's",
    'a "b"',
    "`'\"",
    "~cv",
    "50%",
    "a#b",
    "$HOME",
    "$(id)",
    "dürr & co",
    "a;b|c>d",
    "*?!",
    "-S",
    "@x",
    "+x",
    "a\\b",
    "end\\",
    "end\\\\",
    '\\"',
    '\\\\"\\',
    "123",
    "1e5",
    ".5",
    "1_000",
    "true",
    "null",
    "NaN",
    "no",
    "???x",
]
NAME = st.text(
    st.one_of(
        st.sampled_from("\\\\\"\"'' $,=[]{}():~%#&a1.-"),
        st.characters(exclude_characters="/", exclude_categories=["Cs"]),
    ),
    min_size=1,
    max_size=12,
)


def written_by(command: str) -> dict:
    """params.yaml as `dvc exp run` writes it when the words of the command reach it."""
    words = shlex.split(command)
    assert words[:3] == ["dvc", "exp", "run"]
    assert words[-1] == "report"
    options = words[3:-1]
    assert set(options[::2]) == {"-S"}
    (overrides,) = get_hydra_sweeps(to_path_overrides(options[1::2]))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "params.yaml")
        path.write_text("corpus:\n  path: data/sample\nlocales:\n- es\n- en\n", encoding="utf-8")
        apply_overrides(str(path), overrides["params.yaml"])
        return load_yaml(str(path))


@pytest.mark.slow
@settings(max_examples=100, deadline=None)
@given(NAME)
@example("${x}")
@example("???")
@example("a\nb")
@example("\x1b[0m")
@example("a\udcfcb")
def test_a_folder_of_any_name_is_named_by_the_command_or_refused(name):
    folder = Path(name)
    try:
        require_usable(folder)
    except FetchError as error:
        assert repr(str(folder)) in str(error)
        return
    assert written_by(next_command(folder, []))["corpus"]["path"] == str(folder)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("parent", ["", "data", "/mnt/my disk"])
def test_the_folders_that_people_have_are_named_by_the_command(name, parent):
    folder = Path(parent, name)
    require_usable(folder)
    assert written_by(next_command(folder, []))["corpus"]["path"] == str(folder)


def test_a_shell_hands_the_words_on_as_they_are():
    for name in NAMES:
        command = next_command(Path("data", name), [])
        words = subprocess.run(
            ["sh", "-c", command.replace("dvc exp run", "printf '%s\\n'")],
            capture_output=True,
            text=True,
            encoding="utf-8",
            check=True,
        )
        assert words.stdout.splitlines() == shlex.split(command)[3:]


@pytest.mark.parametrize("name", ["a\nb", "tab\t", "\x7f", "a\u2028b", "\udcfc", "x${y}", "???"])
def test_a_folder_that_dvc_cannot_be_told_is_refused(name):
    with pytest.raises(FetchError, match="cannot be told") as refused:
        require_usable(Path(name))
    assert repr(name) in str(refused.value)


def test_the_languages_that_are_there_are_named_and_other_archives_are_not(tmp_path):
    for name in ("fr", "no", "nan", "zh-TW", "My notes", ".hidden"):
        (tmp_path / f"{name}.tar.gz").touch()
    written = written_by(next_command(tmp_path, ["es", "fr"]))
    assert written["locales"] == ["fr", "nan", "no", "zh-TW"]
    assert written_by(next_command(tmp_path, ["fr", "no"]))["locales"] == ["es", "en"]  # as before
