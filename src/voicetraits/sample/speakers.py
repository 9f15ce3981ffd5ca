"""Speakers of the sample corpus: labels, sentences, voice and channel, all drawn at random.

Every locale draws from the same distributions, so that gender, voice and channel say nothing
about the language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from voicetraits.sample.channel import Channel, draw_channel

if TYPE_CHECKING:
    from voicetraits.params import Sample
from voicetraits.sample.texts import read_sentences, require_sentences
from voicetraits.sample.voices import Voice, draw_voice

# Ages with their shares, and the spelling of Common Voice.
_AGES = {
    "teens": 0.08,
    "twenties": 0.3,
    "thirties": 0.24,
    "fourties": 0.16,
    "fifties": 0.12,
    "sixties": 0.07,
    "seventies": 0.03,
}

# Nobody reads all sentences equally high: deviation of the logarithm of the pitch.
_FROM_CLIP_TO_CLIP = 0.1

# Given in turn to the speakers who carry neither of the two large labels.
_OTHER_GENDERS = ("", "do_not_wish_to_say", "", "non-binary", "transgender", "", "intersex")


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One sentence read by one speaker."""

    path: str
    sentence: str
    pitch: float  # relative to the speaker's own
    up_votes: int
    down_votes: int


@dataclass(frozen=True, kw_only=True)
class Speaker:
    """One invented speaker, with all that the synthesis of the clips depends on."""

    index: int
    client_id: str
    gender: str
    age: str
    accents: str
    part: str
    voice: Voice
    channel: Channel
    clips: tuple[Clip, ...]


def draw_speakers(params: Sample, locale: str) -> list[Speaker]:
    """Draw everything about the speakers of one locale but their sound.

    Each speaker has random numbers of their own, so that the order of the work does not matter.

    Raises:
        SampleError: As write_sample.
    """
    require_sentences(params, locale)
    sentences = read_sentences(locale)
    labelled = params.speakers[locale]
    female = round(params.female * labelled)
    unlabelled = round(params.unlabelled * labelled)
    genders = ["female_feminine"] * female + ["male_masculine"] * (labelled - female)
    genders += [_OTHER_GENDERS[number % len(_OTHER_GENDERS)] for number in range(unlabelled)]
    order = random_numbers(params.seed, locale).permutation(len(genders))

    speakers = []
    clips = 0
    for index, gender in enumerate(genders[position] for position in order):
        speakers.append(_draw_speaker(params, locale, index, gender, sentences, clips))
        clips += len(speakers[-1].clips)
    return speakers


def random_numbers(seed: int, locale: str, *keys: int) -> np.random.Generator:
    """Random numbers for one purpose.

    The key goes into `spawn_key`: as plain entropy, [1] and [1, 0] are the same seed, and a key
    without the locale makes voice twins across languages.
    """
    return np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(*locale.encode(), *keys)))


def _draw_speaker(
    params: Sample, locale: str, index: int, gender: str, sentences: Sequence[str], first: int
) -> Speaker:
    rng = random_numbers(params.seed, locale, index)
    female = {"female_feminine": True, "male_masculine": False}.get(gender, rng.random() < 0.5)
    voice = draw_voice(rng, locale=locale, female=female)
    count = rng.integers(params.clips_min, params.clips_max, endpoint=True)
    chosen = rng.choice(len(sentences), count, replace=False)
    clips = tuple(
        Clip(
            path=f"common_voice_{locale}_{10_000_000 + first + number}.mp3",
            sentence=sentences[position],
            pitch=float(np.exp(rng.normal(0, _FROM_CLIP_TO_CLIP))),
            up_votes=int(rng.integers(2, 5)),
            down_votes=int(rng.random() < 0.1),
        )
        for number, position in enumerate(chosen)
    )
    # Who tells no gender mostly tells nothing else either.
    tells = 0.75 if gender else 0.1
    return Speaker(
        index=index,
        client_id=hashlib.sha512(f"{params.seed} {locale} {index}".encode()).hexdigest(),
        gender=gender,
        age=str(rng.choice(list(_AGES), p=list(_AGES.values()))) if rng.random() < tells else "",
        accents=voice.accent if rng.random() < tells else "",
        part=str(rng.choice(["train", "dev", "test"], p=[0.6, 0.2, 0.2])),
        voice=voice,
        channel=draw_channel(rng),
        clips=clips,
    )
