"""One locale of Common Voice, read from an unpacked folder."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from voicetraits.corpus.layout import (
    CLIP_FOLDERS,
    LARGEST_CLIP,
    TOO_LARGE,
    CorpusError,
    Place,
    Roots,
    place,
    readable,
)
from voicetraits.corpus.listed import ListedCorpus

_DEEPEST = 8  # levels of folders: whoever has more has linked a folder into itself
NOT_THERE = "a link to a file that is not there"


class FolderCorpus(ListedCorpus):
    """One locale in an unpacked folder, with or without `cv-corpus-<version>/<locale>/` in it.

    Links are followed, since the folder is the user's own: git-annex, datalad and DVC keep files
    elsewhere and link to them. What a link leads to is decoded as audio, or read as a table by its
    columns, so that no other file gets into the outputs or the messages.
    """

    def __init__(self, path: Path, locale: str) -> None:
        """Find the tables and the clips.

        Raises:
            CorpusError: If there are two corpora, or the folder cannot be read.
        """
        super().__init__(path, locale)
        self._paths = self._find_tables()

    def _find_tables(self) -> dict[str, str]:
        self.roots = Roots(self.path)
        paths: dict[str, str] = {}
        with readable(self.path):
            for folder, entry in _walk(self.path, into_clips=False):
                path = f"{folder}{entry.name}"
                if entry.name.lower() in CLIP_FOLDERS and _is_folder(entry):
                    if any(True for _ in _walk(Path(entry.path), into_clips=True)):
                        self.roots.add(Place("clip", path, ""))
                    continue
                found = place(path)
                if found is None or found.kind != "table":
                    self.roots.pass_by(path)
                elif entry.is_file():
                    self.roots.add(found)
                    paths.setdefault(found.name, path)
                elif entry.is_symlink() and not Path(entry.path).exists():
                    raise CorpusError(f"{entry.path}: {NOT_THERE}; fetch it or put the file there")
        return paths

    def _open(self, path: str) -> IO[bytes]:
        return (self.path / path).open("rb")

    def _files(self) -> Iterator[tuple[str, Place]]:
        if self.roots.clips is None:
            return
        root = self.roots.clips
        for folder, entry in _walk(self.path / root, into_clips=True):
            path = f"{root}/{folder}{entry.name}"
            yield path, Place("clip", root, entry.name, plain=not folder)

    def _read(self, path: str) -> bytes | str:
        file = self.path / path
        try:
            status = file.stat()
        except OSError:
            return NOT_THERE
        if not stat.S_ISREG(status.st_mode):
            return "not a file"
        if status.st_size > LARGEST_CLIP:
            return TOO_LARGE
        # Files of the system, of which a reading never ends, have no size either.
        return file.read_bytes() if status.st_size else b""


def _walk(
    top: Path, *, into_clips: bool, folder: str = "", above: tuple[str, ...] = ()
) -> Iterator[tuple[str, os.DirEntry[str]]]:
    """What is in a folder and below, each with the folder that it is in: "" or "cv/es/".

    Of clips, which may be millions, in no order and only if they are entered; else by name.
    """
    above = (*above, os.path.realpath(top / folder))
    with os.scandir(top / folder) as entries:
        for entry in entries if into_clips else sorted(entries, key=lambda entry: entry.name):
            if entry.name.startswith(".") or entry.name == "__MACOSX":
                continue
            if not _is_folder(entry) or (not into_clips and entry.name.lower() in CLIP_FOLDERS):
                yield folder, entry
            elif len(above) < _DEEPEST and os.path.realpath(entry.path) not in above:
                inner = f"{folder}{entry.name}/"
                yield from _walk(top, into_clips=into_clips, folder=inner, above=above)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads to itself
        return False
