"""One locale of Common Voice, read from an unpacked folder."""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Collection, Container, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import IO

from voicetraits.corpus.layout import (
    DURATIONS,
    LARGEST_CLIP,
    TOO_LARGE,
    VALIDATED,
    CorpusError,
    readable,
    require,
)
from voicetraits.progress import progress


class FolderCorpus:
    """One locale in an unpacked folder, at most two folders down (`cv-corpus-<version>/<locale>/`).

    Attributes:
        path: The folder.
        skipped: Files that the last pass left out, counted by reason: links that lead out of
            the folder, what is not a file, clips that are too large.
        unread: Wanted clips that the last pass left out, each with the reason.
    """

    def __init__(self, path: Path) -> None:
        """Find the tables and the clips.

        Raises:
            CorpusError: If there is no validated.tsv, more than one, or no clips/ beside it.
        """
        self.path = path
        self.skipped: Counter[str] = Counter()
        self.unread: dict[str, str] = {}
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
    def tables(self, needed: Collection[str] = (VALIDATED,)) -> Iterator[dict[str, IO[bytes]]]:
        """Open the needed tables, and clip_durations.tsv where the corpus has one.

        Args:
            needed: File names.

        Raises:
            CorpusError: If one is missing or cannot be read.
        """
        with ExitStack() as stack:
            with readable(self._root):
                files = {
                    name: stack.enter_context((self._root / name).open("rb"))
                    for name in {*needed, DURATIONS}
                    if (self._root / name).is_file() and not self._leads_out(self._root / name)
                }
            require(needed, files, self.path)
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
        self.unread.clear()
        clips = self._root / "clips"
        with readable(clips):
            with os.scandir(clips) as entries:
                names = sorted(entry.name for entry in entries if entry.name in wanted)
            for name in progress(names, label=str(clips), unit="clips", total=len(names)):
                file = clips / name
                if file.is_symlink() and self._leads_out(file):
                    self.unread[name] = "link out of the folder"
                elif not file.is_file():
                    self.unread[name] = "not a file"
                elif file.stat().st_size > LARGEST_CLIP:
                    self.unread[name] = TOO_LARGE
                else:
                    yield name, file.read_bytes()
                    continue
                self.skipped[self.unread[name]] += 1
