"""Whether a corpus is of the language under whose name it lies."""

from __future__ import annotations

import re
from pathlib import Path

import pandas as pd

from voicetraits.corpus.layout import CorpusError

OTHER_LANGUAGE = "another language"
_LOCALE = re.compile(r"[a-z]{2,3}([-_][A-Za-z0-9]+)*")
# Names as Common Voice gives them: cv-corpus-25.0-2026-03-09/es/ in an archive, and
# cv-corpus-25.0-2026-03-09-es.tar.gz or sps-corpus-3.0-2026-03-09-es/ of one.
_RELEASE = re.compile(r"(cv|sps)-corpus-[\w.-]+")
_RELEASE_OF_LOCALE = re.compile(
    r"(?:\d+-)?(?:cv|sps)-corpus-.*\d{4}-\d\d-\d\d-(?P<locale>[a-z]{2,3}(-[A-Za-z]+)*)(\.[a-z.0-9]+)?"
)
_CLIP = re.compile(
    r"(?:common_voice|spontaneous-speech)[_-](?P<locale>[a-z]{2,3}(-[A-Za-z]+)*)[_-]"
)


def same_language(one: str, other: str) -> bool:
    """Whether one locale is the other, or a region of it.

    >>> same_language("en", "en-GB"), same_language("zh-CN", "zh-TW")
    (True, False)
    """
    a, b = (name.lower().replace("_", "-").split("-") for name in (one, other))
    return a == b[: len(a)] or b == a[: len(b)]


def row_language(given: str, clip: str) -> str:
    """The locale that a row gives, or else the name of its clip; "" for none.

    Args:
        given: Of the column `locale`, or `language`, where Spontaneous Speech has names, too.
        clip: File name.

    >>> row_language("", "common_voice_de_17.mp3")
    'de'
    >>> row_language("German", "17.mp3")
    ''
    """
    if _LOCALE.fullmatch(given):
        return given
    in_name = _CLIP.match(clip)
    return in_name["locale"] if in_name else ""


def refuse_other_language(locale: str, path: Path, *, folder: str, table: str) -> None:
    """Stop where the names of a corpus are those of another language.

    Args:
        locale: That the corpus is to be of.
        path: Of the corpus; where it is a link, what it leads to is looked at.
        folder: Of the tables in it.
        table: Locale that the name of a table gives, or "".

    Raises:
        CorpusError: If they are.
    """
    *above, last = folder.split("/")
    real = path.resolve()
    stated = {
        f"the name of its table, ss-corpus-{table}.tsv,": table,
        f"its folder {folder}/": last if above and _RELEASE.fullmatch(above[-1]) else "",
        f"the name {real}": real.name.split(".")[0] if _RELEASE.fullmatch(real.parent.name) else "",
    }
    for name in (last, real.name):
        if match := _RELEASE_OF_LOCALE.fullmatch(name):
            stated[f"the name {name}"] = match["locale"]
    for where, other in stated.items():
        if _LOCALE.fullmatch(other) and not same_language(locale, other):
            raise CorpusError(_refusal(locale, other, path, f"{where} says"))


def exclude_other_languages(
    table: pd.DataFrame, languages: pd.Series, locale: str, *, path: Path, source: str
) -> pd.DataFrame:
    """Exclude the rows of other languages; stop where they are more than those of the right one.

    Args:
        table: With CLIP_COLUMNS.
        languages: Locale of each row, or "".
        locale: That the corpus is to be of.
        path: Of the corpus.
        source: What to call the table in an error.

    Raises:
        CorpusError: If most rows that give a language give another.
    """
    usable = table["excluded"].eq("") & languages.ne("")
    counts = languages[usable].value_counts()
    foreign = [name for name in counts.index if not same_language(locale, name)]
    others = int(counts[foreign].sum())
    if 2 * others > counts.sum():
        says = f"{counts[foreign[0]]:,} of {counts.sum():,} rows of {source} say"
        raise CorpusError(_refusal(locale, foreign[0], path, says))
    table.loc[usable & languages.isin(foreign), "excluded"] = OTHER_LANGUAGE
    return table


def _refusal(locale: str, other: str, path: Path, says: str) -> str:
    ending = path.name.removeprefix(locale)
    return (
        f"{path}: is of the language {other!r}, as {says}, and not of {locale!r}; put the corpus "
        f"of {locale} there, and this one under the name {other}{ending}"
    )
