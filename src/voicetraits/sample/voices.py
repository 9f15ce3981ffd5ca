"""Voices of the sample corpus, drawn at random."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

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

# They overlap a little, as those of people do: gender can be learnt from them, and not by one
# threshold. Spoken, the pitches have medians of about 120 and 205 Hz, and their ranges the width of
# those of people.
_PITCH = {"male": (100.0, 0.18), "female": (172.0, 0.145)}  # F0: median in Hz, deviation of its log
# Mean and standard deviation over speakers.
_FORMANTS = {"male": (1.0, 0.04), "female": (1.15, 0.045)}  # scale of all formants
# Scale of formants 0 to 5 that brings them nearer to those of people: as Praat measures them, the
# first three of espeak-ng are 4 to 20 % higher, and the fourth 4 % lower.
_OF_PEOPLE = (1.0, 0.87, 0.95, 0.96, 1.045, 1.03)
_OWN = 0.025  # deviation of each formant from the scale of all


@dataclass(frozen=True, kw_only=True)
class Voice:
    """One speaker's voice.

    Attributes:
        base: Voice of espeak-ng that it varies, for example `es-419`.
        accent: That voice as an accent of Common Voice.
        f0: Middle of the pitch range, in Hz. What espeak-ng then speaks has a median some 15 to
            20 percent higher, for it stays in the upper half of the range most of the time.
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

    def variant(self, name: str, *, pitch: float) -> str:
        """The text of an espeak-ng variant file that speaks with this voice.

        Source: espeak-ng, docs/voices.md. Pitch and formants are independent: of one voice, the
        formants stay where they are from 100 to 210 Hz.

        Args:
            name: Of the variant.
            pitch: How high the voice speaks, relative to itself.
        """
        middle, top = round(255 * (1 + self.treble) / 2), round(255 * self.treble)
        low = round(self.f0 * pitch * (1 - self.liveliness / 2))
        high = round(self.f0 * pitch * (1 + self.liveliness / 2))
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
            lines.append(f"formant {number} {round(100 * scale)} {round(100 * strength)}")
        return "\n".join(lines) + "\n"


def draw_voice(rng: np.random.Generator, *, locale: str, female: bool) -> Voice:
    """Draw one speaker's voice.

    Args:
        rng: Random numbers of this speaker.
        locale: One without accents of its own in ACCENTS has the voice of its name.
        female: Whether to draw from the distributions of female or of male voices.
    """
    kind = "female" if female else "male"
    accents = ACCENTS.get(locale, ((locale, ""),))
    base, accent = accents[rng.integers(len(accents))]
    median, deviation = _PITCH[kind]
    scale = rng.normal(*_FORMANTS[kind])
    return Voice(
        base=base,
        accent=accent,
        f0=median * float(np.exp(rng.normal(0, deviation))),
        liveliness=float(rng.uniform(0.5, 1.2)),
        formants=tuple((scale * rng.normal(_OF_PEOPLE, _OWN)).tolist()),
        strengths=tuple(float(factor) for factor in rng.uniform(0.75, 1.15, 6)),
        speed=float(rng.uniform(0.75, 1.1)),
        flutter=int(rng.integers(0, 7)),
        roughness=int(rng.integers(0, 5)),
        breath=int(rng.integers(0, 5)),
        treble=float(rng.uniform(0.4, 0.9)),
    )
