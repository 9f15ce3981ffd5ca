"""Open one locale of Common Voice, whichever way it lies on the disk.

Both kinds of corpus offer the same: `path`, `tables()`, `clips()`, `skipped` and `unread`.
"""

from __future__ import annotations

from pathlib import Path

from voicetraits.corpus.archive import ArchiveCorpus
from voicetraits.corpus.folder import FolderCorpus
from voicetraits.corpus.layout import CorpusError

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
