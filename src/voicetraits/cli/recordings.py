"""The recordings that a command line names: files, folders, patterns, standard input."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Iterator
from pathlib import Path

from voicetraits.errors import InputError

STANDARD_INPUT = "-"
# In a folder, these are taken for recordings; a file that is named itself may end in anything.
_ENDINGS = """
.3g2 .3gp .aac .ac3 .aif .aifc .aiff .alac .amr .ape .au .avi .caf .eac3 .flac .flv .gsm .m4a .m4b
.m4v .mka .mkv .mov .mp2 .mp3 .mp4 .mpga .oga .ogg .ogv .opus .ra .spx .ts .tta .voc .w64 .wav .wave
.weba .webm .wma .wmv .wv
"""
ENDINGS = frozenset(_ENDINGS.split())


def recordings(named: Iterable[str]) -> tuple[list[str], int]:
    """Paths of all recordings that are named, in the order of the names.

    What a folder holds, its folders included, comes in the order of its paths; hidden files are
    left out.

    What may not be looked at is among them, and so is a folder in a folder: to read it says why.

    Returns:
        The paths, and how many files in folders are passed over for their ending.

    Raises:
        InputError: If a path is not there, or a folder or a pattern gives no recording.
    """
    paths, passed_over = [], 0
    for name in named:
        # Not pathlib's, which raises where a folder above may not be looked at.
        if name != STANDARD_INPUT and os.path.isdir(name):  # noqa: PTH112
            found, others = _in_folder(name)
            paths += found
            passed_over += others
        else:
            paths += _files(name)
    return paths, passed_over


def _files(name: str) -> list[str]:
    if name == STANDARD_INPUT or not _is_missing(name):
        return [name]
    if not glob.has_magic(name):
        raise InputError(f"{_shown(name)}: no such file or folder")
    # Not pathlib's, which takes no pattern that begins at the root.
    fitting = glob.iglob(name, recursive=True)  # noqa: PTH207
    # A link that leads nowhere is among them, as in a folder.
    found = sorted(path for path in fitting if not (os.path.isdir(path) or _is_special(path)))  # noqa: PTH112
    if not found:
        raise InputError(f"{_shown(name)}: no file fits this pattern")
    return found


def _is_missing(name: str) -> bool:
    """Whether nothing has this name; of what may not be looked at, reading it says more."""
    try:
        os.lstat(name)
    except OSError as error:
        return isinstance(error, FileNotFoundError | NotADirectoryError)
    return False


def _in_folder(folder: str) -> tuple[list[str], int]:
    closed: list[str] = []
    files = list(_walk(folder, closed))
    found = [
        path for path in files if Path(path).suffix.lower() in ENDINGS and not _is_special(path)
    ]
    if not found and not closed:
        raise InputError(
            f"{_shown(folder)}: no recording in this folder: none of its files ({len(files):,}) "
            "ends in .wav, .mp3 or as other audio or video does; name a file itself to have it read"
        )
    return sorted(found + closed), len(files) - len(found)


def _is_special(path: str) -> bool:
    """Whether it is a pipe or the like, at which reading could wait for ever."""
    return not os.path.isfile(path) and os.path.exists(path)  # noqa: PTH110, PTH113 - 100,000


def _walk(folder: str, closed: list[str]) -> Iterator[str]:
    """Paths of all files in a folder; folders in it that cannot be listed go to `closed`."""

    def refuse(error: OSError) -> None:
        if error.filename == folder:
            raise InputError(f"{folder}: {error.strerror}") from error
        closed.append(str(error.filename))

    for place, folders, names in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        for name in names:
            if not name.startswith("."):
                yield os.path.join(place, name)  # noqa: PTH118 - 100,000 of them, as given


def _shown(name: str) -> str:
    return name or "''"
