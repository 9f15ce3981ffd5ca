"""Whichever environment is active, the code that runs is that of the work tree one is in."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    """A copy of a work tree in which the library says of itself that it is one."""
    for name in ("src", "stages"):
        ignored = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / name, tmp_path / "a copy" / name, ignore=ignored)
    copy = tmp_path / "a copy"
    (copy / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    for module in ("corpus/open.py", "report/predictions.py"):
        path = copy / "src" / "voicetraits" / module
        text = path.read_text(encoding="utf-8")
        future = "from __future__ import annotations\n"
        assert future in text
        path.write_text(text.replace(future, f"{future}\nprint('the copy')\n"), encoding="utf-8")
    return copy


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run Python in a folder, with the library of this repository installed, as it were."""
    env = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    return subprocess.run(
        [sys.executable, *command], cwd=folder, env=env, capture_output=True, text=True
    )


def test_a_stage_takes_the_library_from_beside_it(copy):
    done = run(copy, "-m", "stages.check")
    assert (done.returncode, done.stdout) == (0, "the copy\n"), done.stderr
    assert "the copy" not in run(ROOT, "-c", "import stages.check").stdout


WORKERS = """
from stages import select
from voicetraits.workers.pool import map_in_pool, map_ordered
from where import place
print({*map_in_pool(place, [1, 2], workers=2), *map_ordered(place, [1, 2], workers=2)})
"""


@pytest.mark.slow
def test_so_do_its_workers(copy):
    (copy / "where.py").write_text(
        "def place(_):\n    import voicetraits\n    return voicetraits.__file__\n", encoding="utf-8"
    )
    # With a guard, as every stage has: the workers import the module that started them.
    guarded = WORKERS.replace("print(", "if __name__ == '__main__':\n    print(")
    (copy / "stages" / "work.py").write_text(guarded, encoding="utf-8")
    done = run(copy, "-m", "stages.work")
    assert done.returncode == 0, done.stderr
    there = copy / "src" / "voicetraits" / "__init__.py"
    assert done.stdout.splitlines()[-1] == str({str(there)})


def test_a_stage_stops_where_the_library_has_come_from_elsewhere(copy):
    done = run(copy, "-c", "import voicetraits, stages.check")
    assert done.returncode == 1
    assert done.stderr.startswith(f"error: the library was loaded from {ROOT}")
    assert len(done.stderr.splitlines()) == 1


@pytest.mark.slow
def test_the_command_takes_the_library_of_the_work_tree_one_is_in(copy):
    command = ("-c", "import sys; from voicetraits.cli import main; main()", "results")
    done = run(copy, *command)
    assert done.stdout.startswith("the copy\n")
    assert "error: " in done.stderr  # there are no metrics
    there = run(ROOT, *command)
    # Results of other parameters than those that are there are refused.
    assert there.stdout.startswith("| task |") or "no results of" in there.stderr
