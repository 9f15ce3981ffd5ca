"""Fetch what a stage reads of a folder that several stages write into."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

from voicetraits.errors import InputError


def fetch_missing(outputs: Iterable[Path]) -> None:
    """Have DVC bring those outputs of other stages that are not here.

    `dvc repro --pull --allow-missing` leaves out what has not changed, and brings what a stage
    depends on if that is an output; of the folder above several outputs it asks only whether it
    is there. In any other run all of them are here.

    Raises:
        InputError: If neither the cache nor the remote has them.
    """
    missing = [str(path) for path in outputs if not path.exists()]
    if not missing:
        return
    pull = [sys.executable, "-m", "dvc", "pull", "--quiet", *missing]
    if subprocess.run(pull, stdin=subprocess.DEVNULL, check=False).returncode:
        raise InputError(
            f"{', '.join(missing)}: not here, and `dvc pull` does not bring it; "
            "`dvc repro` without --allow-missing makes it"
        )
