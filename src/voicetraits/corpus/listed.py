"""One locale of Common Voice in something that tells its files before it reads them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Collection, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from pathlib import Path
from typing import IO

from voicetraits.corpus.layout import SEVERAL_FILES, VALIDATED, Place, Roots, of_use
from voicetraits.corpus.names import WantedClips
from voicetraits.corpus.streams import clear_errors
from voicetraits.progress import progress


class ListedCorpus(ABC):
    """One locale in a folder or a zip archive.

    Attributes:
        path: The folder or archive.
        locale: That it is to be of.
        roots: Where tables and clips are.
        skipped: Files that the last pass left out, counted by reason.
        unread: Wanted clips that the last pass left out, each with the reason.
        stray: A file that the last pass found among the clips and that was not wanted, or "".
    """

    def __init__(self, path: Path, locale: str) -> None:
        self.path, self.locale = path, locale
        self.roots = Roots(path)
        self.skipped: Counter[str] = Counter()
        self.unread: dict[str, str] = {}
        self.stray = ""

    def _opened(self) -> AbstractContextManager[object]:
        """What has to be open during a pass."""
        return nullcontext()

    @abstractmethod
    def _find_tables(self) -> dict[str, str]:
        """The path of each table by its name in TABLES; fills `roots`."""

    @abstractmethod
    def _open(self, path: str) -> IO[bytes]:
        """Open a table."""

    @abstractmethod
    def _files(self) -> Iterator[tuple[str, Place]]:
        """The files in the folder of the clips, each with its path."""

    @abstractmethod
    def _read(self, path: str) -> bytes | str:
        """The bytes of a clip, or why it is left out."""

    @contextmanager
    def tables(self, needed: Collection[str] = (VALIDATED,)) -> Iterator[dict[str, IO[bytes]]]:
        """Open the tables, as far as the corpus has them, by their names in TABLES.

        Args:
            needed: File names, for which the one table of Spontaneous Speech may stand. Without
                validated.tsv, the tables of the splits may be there.

        Raises:
            CorpusError: If one is missing or cannot be read, or there are no clips.
        """
        with ExitStack() as stack:
            with clear_errors(self.path):
                stack.enter_context(self._opened())
                paths = self._find_tables()
                self.roots.require(needed, paths)
                if self.roots.clips is None:
                    raise self.roots.no_clips()
                files = {
                    name: stack.enter_context(self._open(paths[name]))
                    for name in of_use(needed, paths)
                }
            yield files

    def clips(self, wanted: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """Read the wanted clips, each once, sorted by name.

        Wanted clips that the corpus lacks are not an error here: the caller knows what it asked
        for and what came.

        Args:
            wanted: File names inside clips/.

        Yields:
            File name as it is wanted, and the bytes of the file.

        Raises:
            CorpusError: If a file cannot be read, or there are no clips at all.
        """
        names = WantedClips(wanted)
        found: dict[str, str] = {}
        self.skipped = Counter()
        self.unread.clear()
        with clear_errors(self.path), self._opened():
            for path, place in self._files():
                if names.is_listed(place.name, plain=place.plain):
                    found[place.name] = path
                else:
                    names.note(path, place.name)
            self.stray = names.stray
            if self.roots.clips is None:
                raise self.roots.no_clips()
            others, ambiguous = names.settle(found)
            self.unread |= dict.fromkeys(ambiguous, SEVERAL_FILES)
            found |= {name: path for path, name in others.items()}
            label = f"{self.path}: {self.roots.clips}"
            for name in progress(sorted(found), label=label, unit="clips", total=len(found)):
                content = self._read(found[name])
                if isinstance(content, bytes):
                    yield name, content
                else:
                    self.unread[name] = content
                    self.skipped[content] += 1
