"""Where the clips of a corpus lie on their way: the one that is tested on, and those beside it."""

from __future__ import annotations

from pathlib import Path

BESIDE = Path("data/beside")


def clip_table(locale: str, corpus: str = "") -> Path:
    """The clip table of a locale; of a corpus beside the tested one, by its name.

    >>> str(clip_table("es")), str(clip_table("es", "other"))
    ('data/clips/es.parquet', 'data/beside/other/es/clips.parquet')
    """
    if corpus:
        return BESIDE / corpus / locale / "clips.parquet"
    return Path("data/clips", f"{locale}.parquet")


def shards(kind: str, locale: str, corpus: str = "") -> Path:
    """The folder of the shards of a locale: "wav", or a representation.

    >>> str(shards("mel", "es")), str(shards("wav", "es", "other"))
    ('data/mel/es', 'data/beside/other/es/wav')
    """
    return BESIDE / corpus / locale / kind if corpus else Path("data", kind, locale)


def home(locale: str, corpus: str = "") -> str:
    """The key of such a folder among several: the locale, behind the corpus where it is beside."""
    return f"{corpus}/{locale}" if corpus else locale
