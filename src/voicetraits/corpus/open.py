"""Open one locale of Common Voice, whichever way it lies on the disk.

All kinds of corpus offer the same: `path`, `locale`, `roots`, `tables()`, `clips()`, `skipped`,
`unread` and `stray`.
"""

from __future__ import annotations

from pathlib import Path
from typing import get_args

from voicetraits.corpus.archive import ArchiveCorpus
from voicetraits.corpus.folder import FolderCorpus
from voicetraits.corpus.layout import CorpusError, readable
from voicetraits.corpus.streams import is_zip
from voicetraits.corpus.zipped import ZipCorpus
from voicetraits.params import Ending

Corpus = ArchiveCorpus | FolderCorpus | ZipCorpus


def open_corpus(path: str | Path, locale: str) -> Corpus:
    """Find the corpus of one locale.

    Args:
        path: Folder that holds `<locale>.tar.gz`, another archive of an Ending, or `<locale>/`.
        locale: As Common Voice names it, e.g. "es".

    Returns:
        The corpus. Nothing stays open between its passes. What is in an archive is read as what it
        is, not as what its ending says.

    Raises:
        CorpusError: If the folder does not exist, holds nothing for the locale, or holds more
            than one corpus of it, or if what it holds is no archive.
    """
    folder = Path(path)
    endings = [ending for ending in get_args(Ending) if ending]
    expected = f"{locale}.tar.gz, {locale}.tar, {locale}.zip or {locale}/"
    if not folder.is_dir():
        state = "is a file" if folder.exists() else "does not exist"
        raise CorpusError(
            f"{folder}: {state}; set corpus.path in params.yaml to the folder that holds {expected}"
        )
    archives = [folder / f"{locale}{ending}" for ending in endings]
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
    if found[0].is_dir():
        return FolderCorpus(found[0], locale)
    return (ZipCorpus if is_zip(found[0]) else ArchiveCorpus)(found[0], locale)


def _listing(folder: Path, *, most: int = 10) -> str:
    with readable(folder):
        names = sorted(file.name + "/" * file.is_dir() for file in folder.iterdir())
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more if names else "nothing"
