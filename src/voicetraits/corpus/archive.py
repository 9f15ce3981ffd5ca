"""One locale of Common Voice, read as a stream from the archive that it is downloaded in.

The archive is never unpacked. The clips are one pass from front to back, and nothing but the file
in hand is kept, so that memory does not grow with the archive (English Common Voice 25.0: 94 GB,
2.57 million clips). The tables stand in front of the clips in the released archives, and so cost
the reading of no clip.
"""

from __future__ import annotations

import sys
import tempfile
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO, NamedTuple

from voicetraits.corpus.layout import (
    DURATIONS,
    LARGEST_CLIP,
    LARGEST_TABLE,
    REPORTED,
    SEVERAL_FILES,
    SPLITS,
    SPONTANEOUS,
    TOO_LARGE,
    VALIDATED,
    CorpusError,
    Place,
    Roots,
    is_unsafe,
    place,
)
from voicetraits.corpus.names import WantedClips
from voicetraits.corpus.streams import clear_errors, decompressed, refuse_others
from voicetraits.corpus.tar import open_tar
from voicetraits.progress import open_with_progress
from voicetraits.storage.files import clear_when_full

_COPIED_AT_ONCE = 2**20  # bytes


class _File(NamedTuple):
    """A clip or a table in an archive, to be read before the next."""

    path: str
    place: Place
    size: int  # bytes
    content: IO[bytes]


class ArchiveCorpus:
    """One locale in a tar file, plain or compressed by gzip, bzip2, xz or Zstandard.

    Folders in front of `clips/` and of the tables do not matter: Common Voice puts
    `cv-corpus-<version>/<locale>/` there, or `<locale>/`, or nothing.

    Attributes:
        path: The archive.
        locale: That it is to be of.
        roots: Where the last pass found tables and clips.
        skipped: Members that the last pass left out, counted by reason: links and devices,
            names that lead out of the archive, clips that are repeated or too large.
        unread: Wanted clips that the last pass left out, each with the reason.
        stray: A file that the last pass found among the clips and that was not wanted, or "".
    """

    def __init__(self, path: Path, locale: str) -> None:
        self.path, self.locale = path, locale
        self.roots = Roots(path)
        self.skipped: Counter[str] = Counter()
        self.unread: dict[str, str] = {}
        self.stray = ""

    @contextmanager
    def tables(self, needed: Collection[str] = (VALIDATED,)) -> Iterator[dict[str, IO[bytes]]]:
        """Open the tables, as far as the corpus has them, by their names in TABLES.

        The archive is read up to the first clip; where needed tables stand behind the clips,
        further, which a line on standard error tells. The tables are copied to temporary files
        (English: about 1 GB), because the archive may hold them in any order and the reader
        needs validated.tsv first.

        Args:
            needed: File names, for which the one table of Spontaneous Speech may stand. Without
                validated.tsv, the tables of the splits may be there.

        Raises:
            CorpusError: If the archive is broken as far as it is read, or holds no clips, or
                lacks a needed table, or holds one of a size that no table has.
        """
        with ExitStack() as stack:
            with clear_errors(self.path):
                wanted = {*needed, DURATIONS, SPONTANEOUS, REPORTED}
                found = self._copies(wanted, needed, stack)
                if not found.keys() & {VALIDATED, SPONTANEOUS}:
                    found |= self._copies(SPLITS.keys() - found.keys(), SPLITS, stack)
            self.roots.require(needed, found)
            if self.roots.clips is None:
                raise self.roots.no_clips()
            yield found

    def _copies(
        self, wanted: Collection[str], needed: Collection[str], stack: ExitStack
    ) -> dict[str, IO[bytes]]:
        """Copies of the wanted tables that stand in front of the clips, or of all the needed."""
        found: dict[str, IO[bytes]] = {}
        told = False
        for file in self._files():
            if file.place.kind == "clip":
                if _all_seen(needed, found):
                    break  # the rest of the archive is clips: minutes of reading
                if not told and VALIDATED in needed:
                    line = "the tables stand behind the clips; reading on"
                    print(f"{self.path}: {line}", file=sys.stderr)
                told = True
            elif file.place.name in wanted and file.place.name not in found:
                found[file.place.name] = stack.enter_context(self._copy(file))
                if told and found.keys() >= {*needed, DURATIONS}:
                    break
        return found

    @contextmanager
    def _copy(self, table: _File) -> Iterator[IO[bytes]]:
        """A temporary file of a table's bytes."""
        if table.size > LARGEST_TABLE:
            raise CorpusError(
                f"{self.path}: {table.place.name} has {table.size / 2**30:,.0f} GiB, which no "
                "table of Common Voice has; fetch the archive again"
            )
        with tempfile.TemporaryFile() as copy:
            folder = Path(tempfile.gettempdir())
            with clear_when_full(f"{folder}: copy of {table.place.name}", on=folder):
                while data := table.content.read(_COPIED_AT_ONCE):
                    copy.write(data)
            copy.seek(0)
            yield copy

    def clips(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Read the wanted clips, each once, in the order of the archive.

        Those whose files have slightly other names come last, for which the archive is read a
        second time. Wanted clips that the archive lacks are not an error here: the caller knows
        what it asked for and what came.

        Args:
            wanted: File names inside clips/.

        Yields:
            File name as it is wanted, and the bytes of the file.

        Raises:
            CorpusError: If the archive is broken or holds no clips at all.
        """
        names = WantedClips(wanted)
        found: set[str] = set()
        self.unread.clear()
        with clear_errors(self.path):
            for file in self._files():
                if file.place.kind != "clip":
                    continue
                if not names.is_listed(file.place.name, plain=file.place.plain):
                    names.note(file.path, file.place.name)
                elif file.place.name in found:
                    self.skipped["repeated"] += 1
                else:
                    found.add(file.place.name)
                    yield from self._content(file, file.place.name)
            self.stray = names.stray
            if self.roots.clips is None:
                raise self.roots.no_clips()
            others, ambiguous = names.settle(found)
            self.unread |= dict.fromkeys(ambiguous, SEVERAL_FILES)
            if others:
                print(
                    f"{self.path}: {len(others):,} clips have slightly other names in the table; "
                    "reading the archive again for them",
                    file=sys.stderr,
                )
                skipped = self.skipped
                for file in self._files():
                    if listed := others.pop(file.path, ""):
                        yield from self._content(file, listed)
                self.skipped = skipped

    def _content(self, file: _File, name: str) -> Iterator[tuple[str, bytes]]:
        if file.size > LARGEST_CLIP:
            self.skipped[TOO_LARGE] += 1
            self.unread[name] = TOO_LARGE
        else:
            yield name, file.content.read()

    def _files(self) -> Iterator[_File]:
        """One pass over the archive: its clips and tables, safely named."""
        self.skipped, self.roots = Counter(), Roots(self.path)
        with self._bytes() as stream, open_tar(stream) as tar:
            while (member := tar.next()) is not None:
                # tarfile would keep every header: gigabytes for English.
                tar.members = []  # type: ignore[attr-defined]
                if member.isdir():
                    continue
                if not member.isreg():
                    self.skipped["link or device"] += 1
                    continue
                if is_unsafe(member.name):
                    self.skipped["unsafe name"] += 1
                    continue
                found = place(member.name)
                if found is None:
                    self.roots.pass_by(member.name)
                    continue
                self.roots.add(found)
                content = tar.extractfile(member)
                assert content is not None  # it is a regular file
                yield _File(member.name, found, member.size, content)
            while stream.read(2**20):
                pass  # to the end of the gzip stream, where its checksum is

    @contextmanager
    def _bytes(self) -> Iterator[IO[bytes]]:
        """The archive's bytes, decompressed; progress is that over the file."""
        with open_with_progress(self.path) as file:
            # Not tarfile's own "r|gz", which takes a cut-off file for a complete one.
            stream = decompressed(file, self.path)
            refuse_others(stream.peek(512)[:512], self.path)
            yield stream


def _all_seen(needed: Collection[str], found: Collection[str]) -> bool:
    """Whether nothing that matters can stand behind the first clip."""
    if SPONTANEOUS in found:
        return REPORTED in found
    return all(name in found for name in needed)
