"""The sentences of clips as numbers of phones."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from voicetraits.sample import espeak

# How espeak-ng reads a language, where that is not the voice of its name: as most clips have it.
_VOICES = {"en": "en-us", "es": "es-419"}
_SELDOM = 60  # times in all clips, below which a phone has no number of its own


def phone_numbers(clips: pd.DataFrame) -> list[list[int]]:
    """Phones of every clip by number, from 1 on, the most frequent first.

    A seldom one counts as what its first letter stands for, or is left out. Clips in a language
    that espeak-ng does not know have none, which a line on standard error tells.

    Args:
        clips: With locale and sentence, "" where it is of no use.

    Raises:
        EspeakError: If espeak-ng does not start.
    """
    read = pd.Series([[] for _ in clips.index], index=clips.index)
    for locale, rows in clips[clips["sentence"] != ""].groupby("locale"):
        if not (language := espeak.language_of(str(locale))):
            print(f"espeak-ng does not know {locale}; its clips teach no phones", file=sys.stderr)
            continue
        with TemporaryDirectory(prefix="vt-") as data:
            espeak.prepare_data(Path(data), language=language, variants={})
            voice = _VOICES.get(language, language)
            found = espeak.phones(list(rows["sentence"]), voice=voice, data=Path(data))
        read[rows.index] = pd.Series(found, index=rows.index)
    counts = Counter(phone for phones in read for phone in phones).most_common()
    numbers = {phone: 1 + n for n, (phone, count) in enumerate(counts) if count >= _SELDOM}
    named = [[phone if phone in numbers else phone[0] for phone in phones] for phones in read]
    return [[numbers[phone] for phone in phones if phone in numbers] for phones in named]
