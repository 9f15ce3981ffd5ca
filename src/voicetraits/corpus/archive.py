"""One locale of Common Voice, read as a stream from the archive that it is downloaded in.

The archive is never unpacked. The clips are one pass from front to back, and nothing but the file
in hand is kept, so that memory does not grow with the archive (English Common Voice 25.0: 94 GB,
2.57 million clips). The tables stand in front of the clips in the released archives, and so cost
the reading of no clip.
"""

from __future__ import annotations

import gzip
import shutil
import sys
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Collection, Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from voicetraits.corpus.layout import (
    DURATIONS,
    LARGEST_CLIP,
    LARGEST_TABLE,
    TABLES,
    TOO_LARGE,
    VALIDATED,
    CorpusError,
    readable,
    require,
)
from voicetraits.files import clear_when_full
from voicetraits.progress import open_with_progress

# tarfile reads long names and extended headers into memory, whatever size they claim.
_LARGEST_HEADER = 2**20  # bytes
_HEADER_TYPES = (
    tarfile.GNUTYPE_LONGNAME,
    tarfile.GNUTYPE_LONGLINK,
    tarfile.XHDTYPE,
    tarfile.XGLTYPE,
    tarfile.SOLARIS_XHDTYPE,
)


class _File(NamedTuple):
    """A clip or a table in an archive, to be read before the next."""

    name: str
    is_clip: bool
    size: int  # bytes
    content: IO[bytes]


class ArchiveCorpus:
    """One locale in a .tar.gz or .tar file.

    Folders in front of `clips/` and of the tables do not matter, as long as they are the same
    for all: Common Voice puts `cv-corpus-<version>/<locale>/` there, or `<locale>/`, or nothing.

    Attributes:
        path: The archive.
        skipped: Members that the last pass left out, counted by reason: links and devices,
            names that lead out of the archive, clips that are repeated or too large.
        unread: Wanted clips that the last pass left out, each with the reason.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped: Counter[str] = Counter()
        self.unread: dict[str, str] = {}

    @contextmanager
    def tables(self, needed: Collection[str] = (VALIDATED,)) -> Iterator[dict[str, IO[bytes]]]:
        """Open the needed tables, and clip_durations.tsv where the corpus has one.

        The archive is read up to the first clip; where needed tables stand behind the clips,
        further, which a line on standard error tells. The tables are copied to temporary files
        (English: about 1 GB), because the archive may hold them in any order and the reader
        needs validated.tsv first.

        Args:
            needed: File names.

        Raises:
            CorpusError: If the archive is broken as far as it is read, or holds no clips, or
                lacks a needed table, or holds one of a size that no table has.
        """
        found: dict[str, IO[bytes]] = {}
        wanted = {*needed, DURATIONS}
        clips_seen = False
        with ExitStack() as stack:
            with _clear_errors(self.path):
                for file in self._files():
                    if file.is_clip:
                        if found.keys() >= set(needed):
                            clips_seen = True
                            break  # the rest of the archive is clips: minutes of reading
                        if not clips_seen:
                            print(
                                f"{self.path}: the tables stand behind the clips; reading on",
                                file=sys.stderr,
                            )
                        clips_seen = True
                    elif file.name in wanted and file.name not in found:
                        found[file.name] = stack.enter_context(self._copy(file))
                        if clips_seen and found.keys() >= wanted:
                            break
            require(needed, found, self.path)
            if not clips_seen:
                raise self._no_clips()
            yield found

    @contextmanager
    def _copy(self, table: _File) -> Iterator[IO[bytes]]:
        """A temporary file of a table's bytes."""
        if table.size > LARGEST_TABLE:
            raise CorpusError(
                f"{self.path}: {table.name} has {table.size / 2**30:,.0f} GiB, which no table of "
                "Common Voice has; fetch the archive again"
            )
        with tempfile.TemporaryFile() as copy:
            folder = Path(tempfile.gettempdir())
            with clear_when_full(f"{folder}: copy of {table.name}", on=folder):
                shutil.copyfileobj(table.content, copy)
            copy.seek(0)
            yield copy

    def clips(self, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
        """Read the wanted clips, each once, in the order of the archive.

        Wanted clips that the archive lacks are not an error here: the caller knows what it asked
        for and what came.

        Args:
            wanted: File names inside clips/.

        Yields:
            File name and the bytes of the file.

        Raises:
            CorpusError: If the archive is broken or holds no clips at all.
        """
        clips_seen = False
        yielded: set[str] = set()
        self.unread.clear()
        with _clear_errors(self.path):
            for file in self._files():
                if not file.is_clip:
                    continue
                clips_seen = True
                if file.name not in wanted:
                    continue
                if file.name in yielded:
                    self.skipped["repeated"] += 1
                elif file.size > LARGEST_CLIP:
                    self.skipped[TOO_LARGE] += 1
                    self.unread[file.name] = TOO_LARGE
                else:
                    yielded.add(file.name)
                    yield file.name, file.content.read()
        if not clips_seen:
            raise self._no_clips()

    def _no_clips(self) -> CorpusError:
        return CorpusError(f"{self.path}: holds no files in clips/; is it a Common Voice archive?")

    def _files(self) -> Iterator[_File]:
        """One pass over the archive: its clips and tables, safely named."""
        self.skipped = Counter()
        root: PurePosixPath | None = None
        with self._bytes() as stream, _open_tar(stream) as tar:
            while (member := tar.next()) is not None:
                # tarfile would keep every header: gigabytes for English.
                tar.members = []  # type: ignore[attr-defined]
                name = PurePosixPath(member.name)
                if member.isdir():
                    continue
                if not member.isreg():
                    self.skipped["link or device"] += 1
                    continue
                if name.is_absolute() or ".." in name.parts:
                    self.skipped["unsafe name"] += 1
                    continue
                folder = name.parent
                is_clip = folder.name == "clips"
                if is_clip:
                    folder = folder.parent
                elif name.name not in TABLES:
                    continue
                root = root or folder
                if folder != root:
                    raise CorpusError(
                        f"{self.path}: holds two corpora, {root}/ and {folder}/; "
                        "pack one locale of one version"
                    )
                content = tar.extractfile(member)
                assert content is not None  # it is a regular file
                yield _File(name.name, is_clip, member.size, content)
            while stream.read(2**20):
                pass  # to the end of the gzip stream, where its checksum is

    @contextmanager
    def _bytes(self) -> Iterator[IO[bytes]]:
        """The archive's bytes, decompressed; progress is that over the file."""
        with open_with_progress(self.path) as file:
            if not file.peek(2).startswith(b"\x1f\x8b"):
                yield file
                return
            # Not tarfile's own "r|gz", which takes a cut-off file for a complete one.
            with gzip.GzipFile(fileobj=file, mode="rb") as stream:
                yield cast(IO[bytes], stream)


class _StrictHeader(tarfile.TarInfo):
    """A header that tells a broken archive from a finished one.

    tarfile stops without a word at a header that is broken or missing; only the block of zeros
    that ends every archive is an end here.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictHeader:
        try:
            header = super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from error
        if header.type in _HEADER_TYPES and header.size > _LARGEST_HEADER:
            raise tarfile.ReadError(f"a header of {header.size:,} bytes")
        return header


def _open_tar(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(
        fileobj=stream, mode="r|", bufsize=2**17, tarinfo=_StrictHeader, encoding="utf-8"
    )


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn what a broken or unreadable archive raises into one line."""
    with readable(path):
        try:
            yield
        except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
            raise CorpusError(
                f"{path}: broken or cut off ({error}); compare its size with the download page "
                "and fetch it again"
            ) from error
