"""Run the pipeline with some parameters changed, keep it as an experiment, and compare.

    NAME=shorter SET='clip.seconds=2 train.epochs=8' python -m stages._experiment

What `dvc exp run` does one stage after the other, on all cores.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from stages._repro import one_run, repro
from stages.check import check_params
from voicetraits.errors import InputError
from voicetraits.params import load_params
from voicetraits.storage.files import whole_file

_PARAMS = Path("params.yaml")
_USAGE = "make experiment NAME=shorter SET='clip.seconds=2 train.epochs=8'"
# Spaces divide the changes, but not in quotes or in the brackets of a list.
_CHANGE = re.compile(r"""(?:"(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|\[[^]]*\]|\{[^}]*\}|\S)+""")


class ExperimentError(InputError):
    """An experiment that cannot be made as it was asked for."""


def main() -> None:
    """Run an experiment, as the variables NAME, SET and FORCE say."""
    name = os.environ.get("NAME", "")
    changes = split_changes(os.environ.get("SET", ""))
    force = os.environ.get("FORCE", "") not in ("", "0")
    with one_run():
        try:
            require_usable(name, force=force)
            change_params(changes)
        except InputError as error:
            sys.exit(f"error: {error}")
        repro()
        _save(name, force=force)
        print(f"Experiment {name}, against the last commit:\n", flush=True)
        _dvc("params", "diff")
        print(flush=True)
        _dvc("metrics", "diff", "--targets", "metrics/summary.json")


def split_changes(text: str) -> list[str]:
    """The changes that SET names, e.g. ["clip.seconds=2", "train.epochs=8"]."""
    return _CHANGE.findall(text)


def require_usable(name: str, *, force: bool) -> None:
    """Make sure, before any work, that an experiment can be saved under a name.

    Raises:
        ExperimentError: If there is no name or none that Git takes, no commit to compare with, or
            an experiment of that name that is not to be replaced.
    """
    if not name:
        raise ExperimentError(f"NAME: the experiment has no name; e.g. {_USAGE}")
    top, head = _git("rev-parse", "--show-toplevel", "HEAD") or ("", "")
    if not top or not Path(top).samefile("."):
        raise ExperimentError(
            "an experiment is saved in Git, and here is no Git repository with a commit; "
            "`make repro` runs without one"
        )
    # DVC's place for the experiments of a commit.
    ref = f"refs/exps/{head[:2]}/{head[2:]}/{name}"
    if "/" in name or name.startswith("-") or _git("check-ref-format", ref) is None:
        raise ExperimentError(
            f"NAME={name}: Git refuses this name; take letters, digits, hyphens and underscores"
        )
    if not force and _git("rev-parse", "--verify", "--quiet", ref) is not None:
        raise ExperimentError(
            f"NAME={name}: there is an experiment of this name; FORCE=1 replaces it"
        )


def change_params(changes: Sequence[str]) -> None:
    """Change params.yaml, in the grammar of `dvc exp run -S`.

    Raises:
        InputError: If a change cannot be read or a parameter is not possible; params.yaml is then
            as it was.
    """
    if not changes:
        raise ExperimentError(f"SET: it names no change of a parameter; e.g. {_USAGE}")
    from dvc.exceptions import DvcException
    from dvc.utils.hydra import apply_overrides

    before = _PARAMS.read_bytes()
    try:
        # A key that is unknown is put in, and refused by ourselves, who know what was meant.
        apply_overrides(
            str(_PARAMS), [each if each[0] in "+~" else f"++{each}" for each in changes]
        )
        check_params(load_params(_PARAMS))
    except BaseException as error:
        with whole_file(_PARAMS) as temporary:
            temporary.write_bytes(before)
        if isinstance(error, (DvcException, ValueError)) and not isinstance(error, InputError):
            reason = str(error.__cause__ or error).splitlines()[0].replace("++", "")
            raise ExperimentError(
                f"SET={' '.join(changes)}: `dvc exp run -S` would not read it either: {reason}"
            ) from error
        raise


def _save(name: str, *, force: bool) -> None:
    """Save the work tree as an experiment, with the results that are new, such as of a locale."""
    new = _git("ls-files", "--others", "--exclude-standard", "metrics", "plots") or []
    options = [f"--include-untracked={path}" for path in new]
    _dvc("exp", "save", "--quiet", "--name", name, *(["--force"] if force else []), *options)


def _git(*arguments: str) -> list[str] | None:
    """The lines that Git answers; none if it refuses, or is not installed."""
    try:
        done = subprocess.run(["git", *arguments], capture_output=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return None
    return os.fsdecode(done.stdout).splitlines()


def _dvc(*arguments: str) -> None:
    """Run a command of DVC, which says itself why it fails; then the process ends."""
    done = subprocess.run([sys.executable, "-P", "-m", "dvc", *arguments], check=False)
    if done.returncode:
        sys.exit(done.returncode)


if __name__ == "__main__":
    main()
