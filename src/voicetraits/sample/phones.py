"""The sentences of clips as numbers of phones."""

from __future__ import annotations

import sys
import unicodedata
from collections import Counter
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from voicetraits.sample import espeak

# How espeak-ng reads a language, where that is not the voice of its name: as most clips have it.
_VOICES = {"en": "en-us", "es": "es-419"}
_SELDOM = 60  # times in all clips, below which a phone has no number of its own
# Share of the letters of all sentences from which on a script is that of the locale.
_OWN_SCRIPT = 0.05
_CHINESE = "CJK"
_READ_CHINESE = ("cmn", "yue")  # others say "Chinese letter" for each


def phone_numbers(clips: pd.DataFrame) -> list[list[int]]:
    """Phones of every clip by number, from 1 on, the most frequent first.

    A seldom one counts as what its first letter stands for, or is left out. Clips have none where
    espeak-ng does not know the language, or would spell a word letter by letter, since it is in the
    script of another; a line on standard error tells.

    Args:
        clips: With locale and sentence, "" where it is of no use.

    Raises:
        EspeakError: If espeak-ng does not start.
    """
    read = pd.Series([[] for _ in clips.index], index=clips.index)
    for locale, rows in clips[clips["sentence"] != ""].groupby("locale"):
        found = _phones(str(locale), list(rows["sentence"].unique()))
        read[rows.index] = pd.Series([found.get(each, []) for each in rows["sentence"]], rows.index)
    counts = Counter(phone for phones in read for phone in phones).most_common()
    numbers = {phone: 1 + n for n, (phone, count) in enumerate(counts) if count >= _SELDOM}
    named = [[phone if phone in numbers else phone[0] for phone in phones] for phones in read]
    return [[numbers[phone] for phone in phones if phone in numbers] for phones in named]


def _phones(locale: str, sentences: list[str]) -> dict[str, list[str]]:
    """Phones in IPA by sentence, without sentences that espeak-ng cannot read."""
    language = espeak.language_of(locale)
    if not language:
        print(f"{locale}: no language of espeak-ng; its clips teach no phones", file=sys.stderr)
        return {}
    readable = _readable(sentences, language)
    if unread := len(sentences) - len(readable):
        print(
            f"{locale}: {unread:,} of {len(sentences):,} sentences are partly in a script that "
            "espeak-ng does not read in this language; their clips teach no phones",
            file=sys.stderr,
        )
    with TemporaryDirectory(prefix="vt-") as data:
        espeak.prepare_data(Path(data), language=language, variants={})
        voice = _VOICES.get(language, language)
        return dict(
            zip(readable, espeak.phones(readable, voice=voice, data=Path(data)), strict=True)
        )


def _readable(sentences: list[str], language: str) -> list[str]:
    """Sentences in the scripts that most of them are in."""
    scripts = Counter(_script(letter) for text in sentences for letter in text)
    del scripts[""]
    own = {name for name, count in scripts.items() if count >= _OWN_SCRIPT * scripts.total()}
    if language not in _READ_CHINESE:
        own.discard(_CHINESE)
    return [text for text in sentences if {_script(letter) for letter in text} <= {"", *own}]


@cache
def _script(character: str) -> str:
    """LATIN, CYRILLIC, ...; "" for what is no letter."""
    return unicodedata.name(character, "").split(" ")[0] if character.isalpha() else ""
