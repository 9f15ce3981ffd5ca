"""Open one locale of Common Voice: an archive read as a stream, or an unpacked folder.

An archive is never unpacked. Each need (the tables, the clips) is one pass from front to back, and
nothing but the file in hand is kept, so that memory does not grow with the archive (English
Common Voice 25.0: 94 GB, 2.57 million clips).

Both kinds of corpus offer the same: `path`, `tables()`, `clips()`, and `skipped`.
"""

from __future__ import annotations

import gzip
import os
import shutil
import tarfile
import tempfile
import zlib
from collections import Counter
from collections.abc import Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path, PurePosixPath
from typing import IO, NamedTuple, cast

from tqdm import tqdm

from voicetraits.errors import InputError

VALIDATED = "validated.tsv"
DURATIONS = "clip_durations.tsv"
_TABLES = (VALIDATED, DURATIONS)
# A longer file is no read sentence, and one clip must fit into memory.
LARGEST_CLIP = 64 * 2**20  # bytes


class CorpusError(InputError):
    """A corpus that cannot be used; the message names the file and the remedy."""


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
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.skipped: Counter[str] = Counter()

    @contextmanager
    def tables(self) -> Iterator[dict[str, IO[bytes]]]:
        """Open the tables: validated.tsv, and clip_durations.tsv where the corpus has one.

        They are copied to temporary files (English: about 1 GB), because the archive may hold
        them in any order and the reader needs validated.tsv first.

        Raises:
            CorpusError: If the archive is broken, or holds no validated.tsv or no clips.
        """
        found: dict[str, IO[bytes]] = {}
        clips_seen = False
        with ExitStack() as stack:
            with _clear_errors(self.path):
                for file in self._files():
                    if file.is_clip:
                        clips_seen = True
                    elif file.name in found:
                        self.skipped["repeated"] += 1
                    else:
                        copy = stack.enter_context(tempfile.TemporaryFile())
                        shutil.copyfileobj(file.content, copy)
                        copy.seek(0)
                        found[file.name] = copy
                    if clips_seen and len(found) == len(_TABLES):
                        break  # the rest of the archive is clips: minutes of reading
            if VALIDATED not in found:
                raise self._lacks(VALIDATED)
            if not clips_seen:
                raise self._lacks("files in clips/")
            yield found

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
                    self.skipped["too large"] += 1
                else:
                    yielded.add(file.name)
                    yield file.name, file.content.read()
        if not clips_seen:
            raise self._lacks("files in clips/")

    def _lacks(self, what: str) -> CorpusError:
        return CorpusError(f"{self.path}: holds no {what}; is it a Common Voice archive?")

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
                elif name.name not in _TABLES:
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
        """The archive's bytes, decompressed, with a progress bar over the file."""
        with self.path.open("rb") as raw:
            compressed = raw.read(2) == b"\x1f\x8b"
            raw.seek(0)
            with tqdm.wrapattr(
                raw,
                "read",
                total=self.path.stat().st_size,
                desc=self.path.name,
                disable=None,
                leave=False,
            ) as counting:
                counted = cast(IO[bytes], counting)
                if not compressed:
                    yield counted
                    return
                # Not tarfile's own "r|gz", which takes a cut-off file for a complete one.
                with gzip.GzipFile(fileobj=counted, mode="rb") as stream:
                    yield cast(IO[bytes], stream)


class FolderCorpus:
    """One locale in an unpacked folder, at most two folders down (`cv-corpus-<version>/<locale>/`).

    Attributes:
        path: The folder.
        skipped: Files that the last pass left out, counted by reason: links that lead out of
            the folder, what is not a file, clips that are too large.
    """

    def __init__(self, path: Path) -> None:
        """Find the tables and the clips.

        Raises:
            CorpusError: If there is no validated.tsv, more than one, or no clips/ beside it.
        """
        self.path = path
        self.skipped: Counter[str] = Counter()
        self._root = self._find_root()

    def _find_root(self) -> Path:
        for pattern in (VALIDATED, f"*/{VALIDATED}", f"*/*/{VALIDATED}"):
            found = sorted(self.path.glob(pattern))
            if len(found) > 1:
                names = " and ".join(str(file.relative_to(self.path)) for file in found[:2])
                raise CorpusError(f"{self.path}: holds two corpora, {names}; keep one")
            if found:
                break
        else:
            raise CorpusError(f"{self.path}: holds no {VALIDATED}; is it a Common Voice folder?")
        root = found[0].parent
        if not (root / "clips").is_dir():
            raise CorpusError(f"{root}: no clips/ folder beside {VALIDATED}")
        for part in (root / VALIDATED, root / "clips"):
            if self._leads_out(part):
                raise CorpusError(
                    f"{part}: a link that leads out of {self.path}, which is not followed; "
                    "put the real file or folder there"
                )
        return root

    def _leads_out(self, file: Path) -> bool:
        return not file.resolve().is_relative_to(self.path.resolve())

    @contextmanager
    def tables(self) -> Iterator[dict[str, IO[bytes]]]:
        """Open the tables: validated.tsv, and clip_durations.tsv where the corpus has one.

        Raises:
            CorpusError: If one cannot be read.
        """
        with ExitStack() as stack:
            with _clear_errors(self._root):
                files = {
                    name: stack.enter_context((self._root / name).open("rb"))
                    for name in _TABLES
                    if (self._root / name).is_file() and not self._leads_out(self._root / name)
                }
            yield dict(files)

    def clips(self, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
        """Read the wanted clips, each once, sorted by name.

        Wanted clips that the folder lacks are not an error here: the caller knows what it asked
        for and what came.

        Args:
            wanted: File names inside clips/.

        Yields:
            File name and the bytes of the file.

        Raises:
            CorpusError: If a file cannot be read.
        """
        self.skipped = Counter()
        clips = self._root / "clips"
        with _clear_errors(clips):
            with os.scandir(clips) as entries:
                names = sorted(entry.name for entry in entries if entry.name in wanted)
            for name in tqdm(names, desc=str(clips), unit="clip", disable=None, leave=False):
                file = clips / name
                if file.is_symlink() and self._leads_out(file):
                    self.skipped["link out of the folder"] += 1
                elif not file.is_file():
                    self.skipped["not a file"] += 1
                elif file.stat().st_size > LARGEST_CLIP:
                    self.skipped["too large"] += 1
                else:
                    yield name, file.read_bytes()


Corpus = ArchiveCorpus | FolderCorpus


def open_corpus(path: str | Path, locale: str) -> Corpus:
    """Find the corpus of one locale.

    Args:
        path: Folder that holds `<locale>.tar.gz`, `<locale>.tar` or `<locale>/`.
        locale: As Common Voice names it, e.g. "es".

    Returns:
        The corpus. Nothing stays open between its passes.

    Raises:
        CorpusError: If the folder does not exist, holds nothing for the locale, or holds more
            than one of the three.
    """
    folder = Path(path)
    expected = f"{locale}.tar.gz, {locale}.tar or {locale}/"
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise CorpusError(
            f"{folder}: {state}; set corpus.path in params.yaml to the folder that holds {expected}"
        )
    archives = [folder / f"{locale}.tar.gz", folder / f"{locale}.tar"]
    found = [archive for archive in archives if archive.is_file()]
    if (folder / locale).is_dir():
        found.append(folder / locale)
    if not found:
        raise CorpusError(
            f"{folder}: holds nothing for locale {locale!r}; expected {expected} "
            f"(rename or link the download), found {_listing(folder)}"
        )
    if len(found) > 1:
        names = " and ".join(file.name for file in found)
        raise CorpusError(f"{folder}: holds {names}; keep one, so that it is clear which is used")
    return FolderCorpus(found[0]) if found[0].is_dir() else ArchiveCorpus(found[0])


def _listing(folder: Path, *, most: int = 10) -> str:
    names = sorted(file.name + "/" * file.is_dir() for file in folder.iterdir())
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"


class _StrictHeader(tarfile.TarInfo):
    """A header that tells a broken archive from a finished one.

    tarfile stops without a word at a header that is broken or missing; only the block of zeros
    that ends every archive is an end here.
    """

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _StrictHeader:
        try:
            return super().frombuf(buf, encoding, errors)
        except tarfile.HeaderError as error:
            if len(buf) == tarfile.BLOCKSIZE and not any(buf):
                raise
            raise tarfile.ReadError(str(error)) from error


def _open_tar(stream: IO[bytes]) -> tarfile.TarFile:
    return tarfile.open(
        fileobj=stream, mode="r|", bufsize=2**17, tarinfo=_StrictHeader, encoding="utf-8"
    )


@contextmanager
def _clear_errors(path: Path) -> Iterator[None]:
    """Turn what a broken or unreadable file raises into one line."""
    try:
        yield
    except (tarfile.TarError, gzip.BadGzipFile, zlib.error, EOFError) as error:
        raise CorpusError(
            f"{path}: broken or cut off ({error}); compare its size with the download page "
            "and fetch it again"
        ) from error
    except OSError as error:
        raise CorpusError(f"{path}: cannot be read: {error}") from error
