"""Outputs are whole or absent: made under a temporary name beside their own, then renamed."""

from __future__ import annotations

import errno
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from voicetraits.errors import InputError

_NO_SPACE = {errno.ENOSPC, errno.EDQUOT}


class DiskFullError(InputError):
    """A file that could not be written for want of space; the message says how much there is."""


@contextmanager
def whole_file(path: Path, *, by_several: bool = False) -> Iterator[Path]:
    """A temporary name that becomes `path` when the block ends well, and vanishes otherwise.

    The temporary name ends in `.partial`, so a writer that tells the format by the ending must be
    given the format. The parent folder is made if it is missing.

    Args:
        path: Of the file.
        by_several: Give each writer a temporary name of its own. A worker of a cluster that was
            given up for lost may still be writing the file when another begins.

    Raises:
        DiskFullError: If there is no space left for it.
    """
    temporary = beside(path)
    if by_several:
        temporary = temporary.with_name(f".{path.name}.{secrets.token_hex(4)}.partial")
    try:
        with clear_when_full(path, on=path.parent):
            yield temporary
            temporary.replace(path)
    finally:
        temporary.unlink(missing_ok=True)


@contextmanager
def clear_when_full(what: object, *, on: Path) -> Iterator[None]:
    """Turn the error of a full disk into one line.

    Args:
        what: Is being written.
        on: A folder on that disk.
    """
    try:
        yield
    except OSError as error:
        if error.errno not in _NO_SPACE:
            raise
        free = shutil.disk_usage(on).free / 1e6
        raise DiskFullError(
            f"{what}: cannot be written, no space left on the disk or in the quota ({free:,.1f} MB "
            "free); make room and run the same command again"
        ) from error


@contextmanager
def fresh_folder(path: Path) -> Iterator[Path]:
    """A temporary folder that becomes `path` when the block ends well, and vanishes otherwise.

    The parent folder is made if it is missing.
    """
    temporary = beside(path)
    shutil.rmtree(temporary, ignore_errors=True)
    temporary.mkdir()
    try:
        yield temporary
        replace_folder(temporary, path)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def replace_folder(made: Path, path: Path) -> None:
    """Put a folder into its place, instead of an earlier one."""
    if path.exists():
        shutil.rmtree(path)
    made.rename(path)


def beside(path: Path) -> Path:
    """A hidden name in the same folder, and so in the same file system: renaming is one step.

    The parent folder is made if it is missing.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    return path.with_name(f".{path.name}.partial")
