"""The commands of the Makefile: each is documented, and none is taken for a file."""

from __future__ import annotations

import re
import subprocess

from conftest import ROOT

MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
# A rule that makes a file of this name; it is no command, and `make` looks at its date.
FILES = {".venv-bench/ready", "data/released/ttspico/ready"}


def rules() -> dict[str, str]:
    """Every target, and the comment behind it or ""."""
    found = re.findall(r"^([\w./-]+):(?!=)[^#\n]*(?:## (.+))?$", MAKEFILE, flags=re.MULTILINE)
    return {target: comment for target, comment in found if target != ".PHONY"}


def phony() -> set[str]:
    """The targets that are no files."""
    declared = re.search(r"^\.PHONY:((?:.*\\\n)*.*)$", MAKEFILE, flags=re.MULTILINE)
    assert declared
    return set(declared[1].replace("\\\n", " ").split())


def test_every_target_but_the_files_is_phony():
    assert phony() == rules().keys() - FILES


def test_every_command_is_documented_and_help_prints_it():
    commands = {
        name: comment
        for name, comment in rules().items()
        if name not in FILES and not name.startswith(".")
    }
    assert {"repro", "test", "lint"} <= commands.keys()
    assert all(commands.values()), commands
    said = subprocess.run(
        ["make", "--no-print-directory", "help"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=True,
    ).stdout
    printed = [line.split(maxsplit=2)[1:] for line in said.splitlines()]
    assert printed == [[name, comment] for name, comment in commands.items()]


def test_the_first_command_runs_the_pipeline():
    assert next(iter(rules())) == "repro"
