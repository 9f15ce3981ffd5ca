"""What a Common Voice corpus consists of, and the error for one that cannot be used."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from voicetraits.errors import InputError

VALIDATED = "validated.tsv"
DURATIONS = "clip_durations.tsv"
SPLITS = {"train.tsv": "training", "dev.tsv": "validation", "test.tsv": "test"}  # and our names
# Of Spontaneous Speech, the other series of Common Voice: one table instead of validated.tsv, and
# what listeners have reported.
SPONTANEOUS = "ss-corpus.tsv"
REPORTED = "ss-reported-audios.tsv"
TABLES = (VALIDATED, DURATIONS, *SPLITS, SPONTANEOUS, REPORTED)
_LOCALE_IN_NAME = re.compile(r"(ss-corpus|ss-reported-audios)-(?P<locale>.+)\.tsv")
CLIP_FOLDERS = ("clips", "audios")  # the second is that of Spontaneous Speech
# A longer file is no read sentence, and one clip must fit into memory.
LARGEST_CLIP = 64 * 2**20  # bytes
TOO_LARGE = "too large a file for a sentence"
SEVERAL_FILES = "several files whose names differ in folder, case, accents or ending alone"
# The largest, validated.tsv of English 25.0, has about 1 GB. More is no table but a gzip file made
# to fill the disk.
LARGEST_TABLE = 4 * 2**30  # bytes

_ARCHIVES = re.compile(r"\.(tar|tgz|tar\.\w+|zip|7z|rar)$", re.IGNORECASE)
_AUDIO = re.compile(r"\.(mp3|wav|flac|ogg|opus|m4a|webm)$", re.IGNORECASE)


class CorpusError(InputError):
    """A corpus that cannot be used; the message names the file and the remedy."""


class Place(NamedTuple):
    """What a file of a corpus is.

    Attributes:
        kind: "clip" or "table".
        folder: Where the folder of the clips, or the table, lies; "" at the top.
        name: File name of a clip; one of TABLES for a table.
        plain: Whether it lies where Common Voice puts it: right in the folder of the clips.
        locale: That the name of a table gives; mostly "".
    """

    kind: str
    folder: str
    name: str
    plain: bool = True
    locale: str = ""


def place(path: str) -> Place | None:
    """What a file of a corpus is, by its path in it; None for what the corpus does not need."""
    *folders, name = [part for part in path.split("/") if part not in ("", ".")] or [""]
    # Files that macOS puts beside every other, and what tools hide for their own use.
    if name.startswith("._") or any(x.startswith(".") or x == "__MACOSX" for x in folders):
        return None
    table = name.lower().removesuffix(".gz")
    if table.endswith(".tsv"):
        in_name = _LOCALE_IN_NAME.fullmatch(table)
        locale = in_name["locale"] if in_name else ""
        table = f"{in_name[1]}.tsv" if in_name else table
        if table in TABLES:
            return Place("table", "/".join(folders), table, locale=locale)
    for depth in range(len(folders) - 1, -1, -1):
        if folders[depth].lower() in CLIP_FOLDERS and not name.startswith("."):
            folder = "/".join(folders[: depth + 1])
            return Place("clip", folder, name, plain=depth == len(folders) - 1)
    return None


def is_unsafe(path: str) -> bool:
    """Whether a path leads out of what it is in."""
    return path.startswith("/") or ".." in path.split("/")


class Roots:
    """Where the tables and the clips of a corpus lie: in one folder each, or it is two corpora.

    Attributes:
        tables: Folder of the tables; None where none was seen.
        clips: Folder of the clips; None where none was seen.
        locale: That the name of a table gives.
        unused: A file that could be what is missing: an archive, a table or a sound elsewhere.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self.tables: str | None = None
        self.clips: str | None = None
        self.locale = ""
        self.unused: dict[str, str] = {}

    def add(self, found: Place) -> None:
        """Take one file into account.

        Raises:
            CorpusError: If it belongs to another corpus than those before.
        """
        if found.kind == "table":
            self.tables = self._same(self.tables, found.folder)
            if self.locale and found.locale not in ("", self.locale):
                raise CorpusError(
                    f"{self._path}: holds the tables of {self.locale} and of {found.locale}; "
                    "keep one locale"
                )
            self.locale = found.locale or self.locale
        else:
            self.clips = self._same(self.clips, found.folder)

    def _same(self, known: str | None, folder: str) -> str:
        if known not in (None, folder):
            raise CorpusError(
                f"{self._path}: holds two corpora, {known or '.'}/ and {folder or '.'}/; "
                "keep one locale of one version"
            )
        return folder

    def pass_by(self, path: str) -> None:
        """Remember a file that is neither clip nor table, for an error that tells what is there."""
        for kind, pattern in (("archive", _ARCHIVES), ("audio", _AUDIO)):
            if pattern.search(path):
                self.unused.setdefault(kind, path)
        if path.endswith((".tsv", ".csv", ".txt", ".xlsx")):
            self.unused.setdefault("table", path)

    def no_clips(self) -> CorpusError:
        """The error for a corpus without clips."""
        if archive := self.unused.get("archive"):
            first = "" if self._path.is_dir() else "unpack this one and "
            return CorpusError(
                f"{self._path}: holds another archive, {archive}, and no clips; {first}put that "
                "one in its place"
            )
        remedy = "is it a Common Voice corpus?"
        if audio := self.unused.get("audio"):
            remedy = f"{audio} is not in a folder of that name, move it and the others there"
        return CorpusError(f"{self._path}: holds no files in clips/, nor in audios/; {remedy}")

    def require(self, needed: Collection[str], found: Collection[str]) -> None:
        """See that a corpus has the tables that are needed.

        Raises:
            CorpusError: If one is missing.
        """
        if complete(needed, found):
            return
        missing = [name for name in needed if name not in found]
        # Someone has packed a part of a release: its splits list validated clips, too.
        if missing == [VALIDATED] and any(name in found for name in SPLITS):
            return
        if VALIDATED in missing and not any(name in found for name in SPLITS):
            if self.clips is None and "archive" in self.unused:
                raise self.no_clips()
            instead = f" (it holds {self.unused['table']})" if "table" in self.unused else ""
            raise CorpusError(
                f"{self._path}: holds no {VALIDATED}{instead}; is it a Common Voice corpus?"
            )
        missing = [name for name in missing if name != VALIDATED]
        raise CorpusError(
            f"{self._path}: holds no {', '.join(missing)}, as a delta release does not; set "
            "corpus.splits to ours in params.yaml, or use the full release"
        )


def complete(needed: Collection[str], found: Collection[str]) -> bool:
    """Whether the tables that are needed were found; that of Spontaneous Speech is all in one."""
    return SPONTANEOUS in found or all(name in found for name in needed)


def of_use(needed: Collection[str], found: Collection[str]) -> list[str]:
    """Those of the found tables that the clip table is made from."""
    wanted = {*needed, DURATIONS, SPONTANEOUS, REPORTED}
    if VALIDATED not in found:
        wanted |= SPLITS.keys()  # for lack of it, they say which clips there are
    return [name for name in TABLES if name in wanted and name in found]


@contextmanager
def readable(path: Path) -> Iterator[None]:
    """Turn what an unreadable file raises into one line."""
    try:
        yield
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
