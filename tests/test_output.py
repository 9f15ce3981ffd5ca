"""Output on terminals and pipes of any encoding, and files that do not depend on the locale."""

from __future__ import annotations

import ast
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml
from conftest import ROOT
from test_cli import DECLARED, MODELS, records

SURROUNDINGS = [
    {"LC_ALL": "C"},
    {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "POSIX", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    {"LC_ALL": "xx_YY.UTF-8"},
    {"PYTHONIOENCODING": "ascii"},
    {"PYTHONIOENCODING": "latin-1"},
    {"PYTHONIOENCODING": "utf-8"},
]
in_every_surrounding = pytest.mark.parametrize(
    "surroundings", SURROUNDINGS, ids=[" ".join(each.values()) for each in SURROUNDINGS]
)


def run(code: str, folder: Path, surroundings: dict[str, str]) -> subprocess.CompletedProcess:
    """Run Python code in surroundings; the output in bytes."""
    cleared = {
        name: value
        for name, value in os.environ.items()
        if name not in ("LC_ALL", "LANG", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONCOERCECLOCALE")
    }
    paths = {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "src")])}
    return subprocess.run(
        [sys.executable, "-c", code],
        cwd=folder,
        env={**cleared, **paths, **surroundings},
        capture_output=True,
    )


@pytest.mark.slow
@in_every_surrounding
def test_the_table_of_results_can_be_printed(tmp_path, surroundings):
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    text = yaml.safe_dump({**params, **DECLARED})
    (tmp_path / "params.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "metrics").mkdir()
    results = [record for model in MODELS for record in records(model)]
    (tmp_path / "metrics" / "results.json").write_text(json.dumps(results), encoding="utf-8")
    code = "from voicetraits.cli import main; main(['results'])"
    done = run(code, tmp_path, surroundings)
    assert (done.returncode, done.stderr) == (0, b"")
    last = done.stdout.splitlines()[-1]
    told = last.replace("–".encode(), b"-")  # noqa: RUF001
    assert re.search(rb"\| 0\.\d\d \(0\.\d\d-[01]\.\d\d\) \|", told)


@in_every_surrounding
def test_a_stage_tells_what_is_wrong_with_a_folder_of_any_name(tmp_path, surroundings):
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpus"]["path"] = "größe–日本"  # noqa: RUF001
    (tmp_path / "params.yaml").write_text(
        yaml.safe_dump(params, allow_unicode=True), encoding="utf-8"
    )
    code = "from stages._run import run; from stages.check import main; run(main)"
    done = run(code, tmp_path, surroundings)
    assert done.returncode == 1
    assert b"is not a folder" in done.stderr
    assert b"Traceback" not in done.stderr


@in_every_surrounding
def test_a_folder_of_any_name_is_found(tmp_path, surroundings):
    folder = tmp_path / "größe"
    folder.mkdir()
    for locale in ("es", "en", "fr", "de"):
        (folder / f"{locale}.tar.gz").touch()
    params = yaml.safe_load((ROOT / "params.yaml").read_text(encoding="utf-8"))
    params["corpus"]["path"] = "größe"
    (tmp_path / "params.yaml").write_text(yaml.safe_dump(params), encoding="utf-8")
    code = "from stages._run import run; from stages.check import main; run(main)"
    done = run(code, tmp_path, surroundings)
    assert (done.returncode, done.stderr) == (0, b"")


@in_every_surrounding
def test_every_character_can_be_printed_to_both_streams(tmp_path, surroundings):
    code = (
        "import sys; from voicetraits.output import printable_output; printable_output(); "
        "text = ascii(0) and chr(0xe9) + chr(0x2013) + chr(0x65e5) + chr(0xdcfc) + chr(0xd800); "
        "print(text); print(text, file=sys.stderr)"
    )
    done = run(code, tmp_path, surroundings)
    assert done.returncode == 0
    assert done.stdout == done.stderr
    if surroundings.get("PYTHONIOENCODING") == "ascii":
        assert done.stdout == b"\\xe9-\\u65e5\xfc\\ud800\n"


def test_an_output_that_is_closed_is_no_obstacle(tmp_path):
    code = (
        "import sys; sys.stdout = None; from voicetraits.output import printable_output as p; p()"
    )
    assert run(code, tmp_path, {}).returncode == 0


def in_text(call: ast.Call) -> bool:
    """Whether a call reads or writes text without saying in which encoding."""
    name = getattr(call.func, "attr", getattr(call.func, "id", ""))
    options = {option.arg: option.value for option in call.keywords}
    if "encoding" in options:
        return False
    if name in ("read_text", "write_text"):
        return len(call.args) < (1 if name == "read_text" else 2)
    if name in ("run", "Popen", "check_output"):
        return "text" in options or "universal_newlines" in options
    of = getattr(call.func, "value", None)
    if name != "open" or getattr(of, "id", getattr(of, "attr", "")) in (
        "tarfile",
        "wave",
        "_zip",
        "av",
    ):
        return False  # they open no text
    words = [arg.value for arg in call.args if isinstance(arg, ast.Constant)]
    return not any("b" in word for word in words if isinstance(word, str))


@pytest.mark.parametrize("folder", ["src", "stages", "benchmarks"])
def test_no_file_is_read_or_written_in_the_encoding_of_the_locale(folder):
    found = [
        f"{path.relative_to(ROOT)}:{node.lineno}"
        for path in sorted((ROOT / folder).rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and in_text(node)
    ]
    assert found == []
