"""Synthetic speech by SVOX Pico, whose voices are made from recordings of people.

espeak-ng, which speaks the sample corpus, computes every sound from formants. Pico has one voice
for each language, of statistics over a recorded one; many speakers are made of it by pitch, rate
and the length of the vocal tract. Their gender is nobody's: no clip has a label of it.

Libraries: ttspico 0.3.2, Apache 2.0, which holds Pico and its voices, and which pip compiles;
wordfreq 3.1.1, Apache 2.0, whose counts of words are CC BY-SA 4.0 (Speer, Zenodo 7199437, 2022).
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.signal import resample_poly

from voicetraits.errors import InputError
from voicetraits.progress import progress
from voicetraits.sample.channel import draw_channel, encode_mp3, record
from voicetraits.sample.speakers import random_numbers
from voicetraits.sample.texts import read_sentences
from voicetraits.storage.files import fresh_folder
from voicetraits.workers.pool import map_in_pool

SAMPLE_RATE = 16_000  # Hz, of every voice of Pico
# Pico's voices by locale; speakers have them in turn.
VOICES = {"de": ("de-DE",), "en": ("en-GB", "en-US"), "es": ("es-ES",), "fr": ("fr-FR",)}
# How far speakers are from the voice: pitch and rate in percent of it, mean and deviation and
# limits; the vocal tract as a factor of all frequencies.
_PITCH = (100, 18, 60, 150)
_RATE = (100, 12, 70, 140)
_FREQUENCIES = (0.8, 1.15)
_SENTENCES = 0.3  # share of the texts
_WORDS = (5, 13)  # of a text that is no sentence
# The words are drawn from so many, by a power of their share of all text: of a power of 1, half of
# a text would be articles and the like. Most of the shortest are no words, but for the frequent.
_KNOWN, _POWER = 20_000, 0.6
_SHORT, _OFTEN = 2, 3e-4
_COLUMNS = ["client_id", "path", "sentence", "up_votes", "down_votes", "age", "gender", "locale"]


def write_pico(locale: str, folder: Path, *, speakers: int, clips: int, seed: int) -> int:
    """Synthesise the folder of one locale, in Common Voice's layout.

    Three texts in ten are sentences of the sample corpus, which has few: a network learns them by
    heart. The others are words of the language in random order, more of those that are frequent.

    Args:
        locale: In VOICES.
        folder: What is made.
        speakers: How many.
        clips: Of every speaker.
        seed: Of all that is drawn.

    Returns:
        The number of clips.

    Raises:
        InputError: If Pico is not installed, or has no voice for the locale.
    """
    if locale not in VOICES:
        raise InputError(f"Pico has no voice for {locale}; it has {', '.join(VOICES)}")
    rows: list[tuple[object, ...]] = []
    with fresh_folder(folder) as fresh:
        (fresh / "clips").mkdir()
        speak = partial(_speaker, locale=locale, clips=clips, seed=seed)
        spoken = map_in_pool(speak, range(speakers))
        shown = progress(spoken, label=f"pico {locale}", unit="speakers", total=speakers)
        for number, recorded in enumerate(shown):
            for text, mp3 in recorded:
                name = f"pico_{locale}_{len(rows)}.mp3"
                (fresh / "clips" / name).write_bytes(mp3)
                rows.append((f"pico-{locale}-{number}", name, text, 2, 0, "", "", locale))
        table = pd.DataFrame(rows, columns=_COLUMNS)
        table.to_csv(fresh / "validated.tsv", sep="\t", index=False)
    return len(rows)


def _speaker(number: int, *, locale: str, clips: int, seed: int) -> list[tuple[str, bytes]]:
    """Text and MP3 of all clips of one speaker."""
    try:
        import ttspico
        import wordfreq  # noqa: F401
    except ImportError as error:
        raise InputError(f"Pico is not there ({error}); run `make released`") from error
    rng = random_numbers(seed, locale, number)
    voices = Path(ttspico.__file__).parent / "languages"
    engine = ttspico.TtsEngine(VOICES[locale][number % len(VOICES[locale])], lang_dir=str(voices))
    engine.pitch, engine.rate = _near(_PITCH, rng), _near(_RATE, rng)
    frequencies = float(np.exp(rng.uniform(*np.log(_FREQUENCIES))))
    channel = draw_channel(rng)
    found = []
    for text in _texts(locale, clips, rng):
        speech = np.frombuffer(engine.speak(text), np.int16).astype(np.float64)
        # Played faster, every frequency rises.
        shifted = resample_poly(speech, 100, round(100 * frequencies))
        loud = np.abs(shifted).max() / 32_000
        pcm = (shifted / max(loud, 1)).astype(np.int16)
        recorded = record(pcm, SAMPLE_RATE, channel, rng)
        found.append((text, encode_mp3(recorded, channel.sample_rate)))
    return found


def _texts(locale: str, count: int, rng: np.random.Generator) -> Iterator[str]:
    sentences = read_sentences(locale)
    words, shares = _words(locale)
    for _ in range(count):
        if rng.random() < _SENTENCES:
            yield sentences[rng.integers(len(sentences))]
        else:
            number = rng.integers(*_WORDS, endpoint=True)
            yield " ".join(rng.choice(words, number, p=shares)) + "."


@cache
def _words(locale: str) -> tuple[list[str], np.ndarray]:
    """Words of a language, and how often each is drawn."""
    import wordfreq

    shares = {
        word: share
        for word in wordfreq.top_n_list(locale, _KNOWN)
        if word.isalpha()
        and ((share := wordfreq.word_frequency(word, locale)) >= _OFTEN or len(word) > _SHORT)
    }
    drawn = np.array(list(shares.values())) ** _POWER
    return list(shares), drawn / drawn.sum()


def _near(around: tuple[int, int, int, int], rng: np.random.Generator) -> int:
    mean, deviation, low, high = around
    return int(np.clip(rng.normal(mean, deviation), low, high))
