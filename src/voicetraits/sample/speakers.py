"""Speakers of the sample corpus: labels, sentences, voice and channel, all drawn at random.

Every locale draws from the same distributions, so that gender, voice and channel say nothing
about the language.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING

import numpy as np

from voicetraits.errors import InputError
from voicetraits.sample.channel import Channel, draw_channel

if TYPE_CHECKING:
    from voicetraits.params import Sample

_NORTH = (
    "España: Norte peninsular (Asturias, Castilla y León, Cantabria, País Vasco, Navarra, Aragón, "
    "La Rioja, Guadalajara, Cuenca)"
)

# Voices of espeak-ng by locale, each with an accent as Common Voice spells it. All lines of a
# locale are equally likely.
ACCENTS: dict[str, tuple[tuple[str, str], ...]] = {
    "es": (
        ("es", _NORTH),
        ("es", "España: Centro-Sur peninsular (Madrid, Toledo, Castilla-La Mancha)"),
        ("es-419", "México"),
        ("es-419", "Rioplatense: Argentina, Uruguay, este de Bolivia, Paraguay"),
        (
            "es-419",
            "Andino-Pacífico: Colombia, Perú, Ecuador, oeste de Bolivia y Venezuela andina",
        ),
    ),
    "en": (
        ("en-us", "United States English"),
        ("en-us", "United States English"),
        ("en-us-nyc", "United States English"),
        ("en", "England English"),
        ("en-gb-x-rp", "England English"),
        ("en-gb-x-gbclan", "England English"),
        ("en-gb-x-gbcwmd", "England English"),
        ("en-gb-scotland", "Scottish English"),
        ("en-029", "West Indies and Bermuda (Bahamas, Bermuda, Jamaica, Trinidad)"),
    ),
    "fr": (
        ("fr", "Français de France"),
        ("fr", "Français de France"),
        ("fr-be", "Français de Belgique"),
        ("fr-ch", "Français de Suisse"),
    ),
    "de": (
        ("de", "Deutschland Deutsch"),
        ("de", "Deutschland Deutsch"),
        ("de", "Nordrhein-Westfalen,Bundesdeutsch, Hochdeutsch,Deutschland Deutsch"),
    ),
}

# Mean and standard deviation over speakers. They overlap a little, as those of people do:
# gender can be learnt from them, and not by one threshold.
_PITCH = {"male": (120.0, 20.0), "female": (200.0, 25.0)}  # F0 in Hz
_FORMANTS = {"male": (1.0, 0.04), "female": (1.15, 0.045)}  # scale of all formants

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
# Given in turn to the speakers who carry neither of the two large labels.
_OTHER_GENDERS = ("", "do_not_wish_to_say", "", "non-binary", "transgender", "", "intersex")


class SampleError(InputError):
    """The sample corpus cannot be made as asked; the message names the key and the remedy."""


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker's voice.

    Attributes:
        base: Voice of espeak-ng that it varies, for example `es-419`.
        accent: That voice as an accent of Common Voice.
        f0: Middle of the pitch range, in Hz.
        liveliness: Width of the pitch range, as a share of f0.
        formants: Frequencies of formants 0 to 5 relative to espeak-ng's own.
        strengths: Their strengths, likewise.
        speed: Speaking rate relative to espeak-ng's own.
        flutter, roughness, breath: In units of espeak-ng's voice files.
        treble: Gain of the spectrum above 2.5 kHz relative to that of the lowest frequencies.
    """

    base: str
    accent: str
    f0: float
    liveliness: float
    formants: tuple[float, ...]
    strengths: tuple[float, ...]
    speed: float
    flutter: int
    roughness: int
    breath: int
    treble: float

    def variant(self, name: str) -> str:
        """The text of an espeak-ng variant file that speaks with this voice.

        Source: espeak-ng, docs/voices.md. espeak-ng also scales the formants with the pitch, by
        1 + (low - 82) / 328; that is divided out, so that pitch and formants are independent.
        """
        middle, top = round(255 * (1 + self.treble) / 2), round(255 * self.treble)
        low = round(self.f0 * (1 - self.liveliness / 2))
        high = round(self.f0 * (1 + self.liveliness / 2))
        coupling = 1 + (low - 82) / 328
        lines = [
            "language variant",
            f"name {name}",
            f"pitch {low} {high}",
            f"speed {round(100 * self.speed)}",
            f"flutter {self.flutter}",
            f"roughness {self.roughness}",
            "breath " + " ".join([str(self.breath)] * 8),
            f"tone 600 255 1200 {middle} 2500 {top}",
        ]
        for number, (scale, strength) in enumerate(zip(self.formants, self.strengths, strict=True)):
            lines.append(
                f"formant {number} {round(100 * scale / coupling)} {round(100 * strength)}"
            )
        return "\n".join(lines) + "\n"


@dataclass(frozen=True, kw_only=True)
class Clip:
    """One sentence read by one speaker."""

    path: str
    sentence: str
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
    if locale not in ACCENTS:
        raise SampleError(
            f"the sample corpus speaks only {', '.join(ACCENTS)}, not {locale!r}: take it out of "
            "locales and sample.speakers, or point corpus.path to a folder with its Common Voice "
            "archive"
        )
    if locale not in params.speakers:
        raise SampleError(
            f"sample.speakers has no entry for {locale!r}: add one (for example {locale}: 60), or "
            "take the locale out of locales"
        )
    sentences = read_sentences(locale)
    if params.clips_max > len(sentences):
        raise SampleError(
            f"sample.clips_max = {params.clips_max}: a speaker reads each sentence once, and "
            f"{locale} has {len(sentences)}; set it to at most {len(sentences)}"
        )
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


def read_sentences(locale: str) -> list[str]:
    """Our own sentences in one language, one a line of `sentences/<locale>.txt`."""
    source = resources.files("voicetraits.sample").joinpath("sentences", f"{locale}.txt")
    return source.read_text(encoding="utf-8").splitlines()


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


def draw_voice(rng: np.random.Generator, *, locale: str, female: bool) -> Voice:
    """Draw one speaker's voice.

    Args:
        rng: Random numbers of this speaker.
        locale: A key of ACCENTS.
        female: Whether to draw from the distributions of female or of male voices.
    """
    kind = "female" if female else "male"
    base, accent = ACCENTS[locale][rng.integers(len(ACCENTS[locale]))]
    scale = rng.normal(*_FORMANTS[kind])
    return Voice(
        base=base,
        accent=accent,
        f0=float(np.clip(rng.normal(*_PITCH[kind]), 75, 280)),
        liveliness=float(rng.uniform(0.25, 0.6)),
        formants=tuple(float(scale * factor) for factor in rng.normal(1, 0.025, 6)),
        strengths=tuple(float(factor) for factor in rng.uniform(0.75, 1.15, 6)),
        speed=float(rng.uniform(0.75, 1.1)),
        flutter=int(rng.integers(0, 7)),
        roughness=int(rng.integers(0, 5)),
        breath=int(rng.integers(0, 5)),
        treble=float(rng.uniform(0.4, 0.9)),
    )
