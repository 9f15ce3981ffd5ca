"""The card of the released model, in Markdown."""

from __future__ import annotations

from textwrap import fill

import pandas as pd

from voicetraits.release.calibrate import Calibrated, answers, scored
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe
from voicetraits.release.worse import TRIED
from voicetraits.tasks import Task


def card(recipe: Recipe, clips: pd.DataFrame, found: list[Calibrated], trained_on: str) -> str:
    """The model card, in Markdown."""
    language, gender = found
    sections = [
        _HEAD.format(trained_on=trained_on, languages=", ".join(sorted(recipe.languages))),
        "## Training data\n\n" + _sources(recipe, clips),
        "## Results\n\n"
        + _PROTOCOL
        + _language_table(recipe, language)
        + "\n\n"
        + _gender_table(recipe, gender),
        "## Calibration and thresholds\n\n" + "\n".join(_calibration(each) for each in found),
        "## What spoilt, short and other recordings get\n\n"
        + _WORSE
        + _worse_table(language, gender),
        _REST,
    ]
    return _wrapped("\n\n".join(sections)) + "\n"


def _wrapped(text: str) -> str:
    """The same text in lines of at most 100 characters, but for its tables."""
    blocks = []
    for block in text.strip().split("\n\n"):
        if not block.startswith(("|", "#")):
            items = block.replace("\n- ", "\n\n- ").split("\n\n")
            block = "\n".join(
                fill(item, 100, subsequent_indent="  " if item.startswith("- ") else "")
                for item in (" ".join(each.split()) for each in items)
            )
        blocks.append(block)
    return "\n\n".join(blocks)


def _sources(recipe: Recipe, clips: pd.DataFrame) -> str:
    licences = {c.name: c.licence for c in recipe.corpora}
    licences |= {name: text for c in recipe.corpora for name, text in c.sources.items()}
    named = clips.assign(source=clips["source"].where(clips["source"] != "", clips["corpus"]))
    lines = [
        "| source | licence | locales | clips | speakers | labelled female | labelled male |",
        "|---|---|---|---|---|---|---|",
    ]
    for source, rows in named[named["language"] != FOREIGN].groupby("source"):
        counts = rows["gender"].value_counts()
        cells = [
            str(source),
            licences.get(str(source), ""),
            ", ".join(sorted(rows["locale"].unique())),
            f"{len(rows):,}",
            f"{rows['speaker'].nunique():,}",
            f"{counts.get('female', 0):,}",
            f"{counts.get('male', 0):,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    foreign = clips[clips["language"] == FOREIGN]
    labelled = foreign["gender"].isin(recipe.tasks[1].classes).sum()
    tested = ", ".join(sorted(foreign["locale"].unique()))
    lines += [
        "",
        f"Foreign languages: {len(foreign):,} clips (CC0) of {tested}, "
        f"{foreign['speaker'].nunique():,} speakers. The language networks never heard them; the "
        f"gender network has learned those with a label ({labelled:,}).",
    ]
    if recipe.language.phones:
        read = clips[clips["corpus"].isin(recipe.language.phones.corpora)]
        known = read.loc[read["phones"].str.len() > 0, "synthetic"]
        lines += [
            "",
            "Before the languages, the language networks learned to write down the phones of clips "
            "whose sentence is known, as espeak-ng reads it: of "
            f"{(~known).sum():,} clips of people and {known.sum():,} of synthetic voices, as far "
            "as these have at most 8 s of speech.",
        ]
    return "\n".join(lines)


def _language_table(recipe: Recipe, found: Calibrated) -> str:
    foreign = found.rows[found.rows["language"] == FOREIGN]
    own = found.rows[found.rows["language"] != FOREIGN]
    answered, right = answers(own, found.task, found.threshold)
    wrongly, _ = answers(foreign, found.task, found.threshold)
    cells = [
        ", ".join(recipe.language.left_out),
        f"{len(own):,}",
        f"{own['speaker'].nunique():,}",
        _score(own, found.task),
        f"{answered:.2f}",
        f"{right:.2f}",
        f"{1 - wrongly:.2f} of {len(foreign):,}",
    ]
    return (
        "**Language**\n\n"
        "| left out | clips | speakers | balanced accuracy (95 % interval), always answering "
        "| answered | right, of these | foreign clips that get `unknown` |\n"
        "|---|---|---|---|---|---|---|\n"
        f"| {' | '.join(cells)} |"
    )


def _gender_table(recipe: Recipe, found: Calibrated) -> str:
    lines = [
        "| left out | clips labelled female / male | speakers | balanced accuracy (95 % interval) "
        "| accuracy |",
        "|---|---|---|---|---|",
    ]
    foreign = found.rows["language"] == FOREIGN
    for name, rows in (
        (", ".join(recipe.gender.left_out), found.rows[~foreign]),
        ("foreign languages", found.rows[foreign]),
    ):
        counts = rows["gender"].value_counts()
        likely = rows[list(found.task.classes)].idxmax(axis=1)
        cells = [
            name,
            f"{counts['female']} / {counts['male']}",
            f"{rows['speaker'].nunique()}",
            _score(rows, found.task),
            f"{(likely == rows['gender']).mean():.2f}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "**Gender, as labelled by the speakers**\n\n" + "\n".join(lines)


def _worse_table(language: Calibrated, gender: Calibrated) -> str:
    lines = [
        "| clips | language: balanced accuracy, always answering | answered | right, of these "
        "| gender: balanced accuracy |",
        "|---|---|---|---|---|",
    ]
    for condition in TRIED:
        spoken, voiced = (
            each.worse[each.worse["condition"] == condition] for each in (language, gender)
        )
        answered, right = answers(spoken, language.task, language.threshold)
        cells = [
            condition,
            _score(spoken, language.task),
            f"{answered:.2f}",
            f"{right:.2f}",
            _score(voiced, gender.task),
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _score(rows: pd.DataFrame, task: Task) -> str:
    found = scored(rows, task)
    return f"{found.value:.2f} ({found.low:.2f}–{found.high:.2f})"  # noqa: RUF001


def _calibration(found: Calibrated) -> str:
    never = "" if found.threshold > 0.5 else " Of two classes one has half: it always answers."
    return (
        f"- {found.task.name}: temperature {found.temperature:.2f}; expected calibration error "
        f"{found.before:.3f} before, {found.after:.3f} after; `unknown` below a probability of "
        f"{found.threshold:.2f}.{never}"
    )


_HEAD = """\
# Model card: the released voice model

`src/voicetraits/released/voice.onnx` tells the language of a recording ({languages}) and
how the speaker would label the gender of the voice (female or male). `make released` builds it and
this card, by the parameters in `released.yaml`; the folders that it reads are no part of the
repository. It was trained on {trained_on}.
It holds weights only: no clip, and no speaker id."""

_PROTOCOL = """\
Measured on sources that other networks of the same recipe were trained without, speakers included.
They have not heard the foreign languages either; the released networks have heard all of
the above. Intervals by bootstrap over speakers.

"""

_WORSE = """\
The clips of the tables above again, but for the foreign ones, made worse or cut short before the
network hears them.

"""

_REST = """\
- Less than 0.3 s of speech, noise, tones: `unknown` for both, by a [voice activity
  detector](predict.md), before the network is asked. So is most music without voice; some notes
  that are plucked sound like one to it.
- Other languages: `unknown` for more clips than not, as the table says; the others get one of the
  four. Where other languages are likely, ask for more with `--language-threshold`.

## Intended use

Sorting recordings for further work by people, exploring corpora, teaching. The labels are what
speakers say of themselves, in two large classes; other labels exist, and the model has not learned
them. It will always be wrong about some voices.

## Misuse

Do not decide anything about a person by it, do not monitor people, do not tell anybody what they
are. Categorising people by their voice is regulated, for instance by the EU AI Act. Common Voice
forbids re-identifying speakers.
"""
