"""What DVC and Git need of files and folders, and do not say in time."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from voicetraits.errors import InputError


def check_folders(names: Iterable[str]) -> None:
    """See that DVC can write there: it follows no link above its results, and says so too late.

    Raises:
        InputError: If one of these folders is a link.
    """
    for name in names:
        if Path(name).is_symlink():
            raise InputError(
                f"{name} is a link, and DVC writes no results through links; clone onto the larger "
                f"disk, or mount a folder of it here: rm {name} && mkdir {name} && "
                f"sudo mount --bind /path/on/the/disk {name}"
            )


def date_anew(file: Path) -> None:
    """Give a file a date in another second than it has.

    `dvc exp run -S` restores params.yaml and changes it in one second, often without a change of
    size. Git, which looks at these two, would take it for unchanged, and never restore it.
    """
    with suppress(OSError):
        old = file.stat().st_mtime
        new = time.time()
        new += int(new) == int(old)
        os.utime(file, (new, new))
