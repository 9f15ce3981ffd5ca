"""Calibrate the released network on sources that it never heard, and write its file and card."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from voicetraits.dataset.parts import class_numbers
from voicetraits.evaluation.calibration import (
    apply_temperature,
    expected_calibration_error,
    fit_temperature,
)
from voicetraits.evaluation.intervals import Judged, balanced_accuracy_interval
from voicetraits.export.crops import Crops
from voicetraits.export.description import Answer, Description
from voicetraits.export.model import export
from voicetraits.networks import build
from voicetraits.networks.model_folder import WEIGHTS
from voicetraits.params import load_params
from voicetraits.release.build import tasks
from voicetraits.release.clips import OTHER, REPRESENTATION
from voicetraits.release.recipe import Recipe
from voicetraits.storage.files import whole_file
from voicetraits.tasks import Task

MODEL = Path("src/voicetraits/released/voice.onnx")
CARD = Path("docs/model_card.md")
NAME = "voice"
_TRAINED_ON = (
    "{clips:,} clips of real people from {sources} public sources in {languages} and other "
    "languages, and {synthetic:,} of synthetic voices"
)


class Calibrated(NamedTuple):
    """A task, how its probabilities are brought down to earth, and when it answers.

    Attributes:
        task: The task.
        temperature: See `fit_temperature`.
        threshold: Of the largest probability, below which the answer is unknown.
        rows: Predictions on what was left out, with `round` and calibrated probabilities.
    """

    task: Task
    temperature: float
    threshold: float
    before: float
    after: float
    rows: pd.DataFrame


def write_release(recipe: Recipe, work: Path) -> None:
    """Write the model's file and its card.

    Args:
        recipe: Of the model.
        work: Where the steps before have left networks and predictions.
    """
    clips = pd.read_parquet(work / "clips.parquet")
    found = [_calibrated(task, recipe, work) for task in tasks(recipe).tasks]
    real = clips[~clips["synthetic"]]
    trained_on = _TRAINED_ON.format(
        clips=len(real[~real["locale"].isin(recipe.test_languages)]),
        sources=real["source"].replace("", "foreign").nunique(),
        languages=", ".join(recipe.languages),
        synthetic=int(clips["synthetic"].sum()),
    )
    frames = recipe.frames
    heads = tasks(recipe).heads
    network = build(frames.networks[0], (64, None), heads, seed=0, members=frames.members)
    network.load_weights(work / "final" / WEIGHTS)
    model = export(
        network,
        representation=REPRESENTATION,
        clip=recipe.clip,
        extract=load_params().extract,
        crops=Crops(frames.crop, frames.crops),
        description=Description(
            NAME,
            tuple(
                Answer(each.task.name, each.task.classes, each.threshold, each.temperature)
                for each in found
            ),
            synthetic=False,
            trained_on=trained_on,
        ),
        float16=True,
    )
    MODEL.parent.mkdir(exist_ok=True)
    with whole_file(MODEL) as partial:
        partial.write_bytes(model.SerializeToString())
    with whole_file(CARD) as partial:
        partial.write_text(card(recipe, clips, found, trained_on), encoding="utf-8")
    print(f"{MODEL}: {MODEL.stat().st_size:,} bytes; {CARD}")


def _calibrated(task: Task, recipe: Recipe, work: Path) -> Calibrated:
    """Fit temperature and threshold on the predictions of all rounds."""
    rows = pd.concat(
        [
            pd.read_parquet(work / f"round-{number}" / f"{task.name}.parquet").assign(round=number)
            for number in range(1, len(recipe.left_out) + 1)
        ],
        ignore_index=True,
    )
    labels, classes = class_numbers(rows, task), list(task.classes)
    probabilities = rows[classes].to_numpy()
    temperature = fit_temperature(labels, probabilities)
    cooled = apply_temperature(probabilities, temperature)
    before, after = (expected_calibration_error(labels, each) for each in (probabilities, cooled))
    rows[classes] = cooled
    threshold = 0.5
    if OTHER in classes:
        known = rows[rows[task.column] != OTHER]
        threshold = _threshold(known, task, recipe)
    return Calibrated(task, temperature, threshold, before, after, rows)


def _threshold(rows: pd.DataFrame, task: Task, recipe: Recipe) -> float:
    """The lowest at which answers are right as often as wanted, or, before it, as many are left."""
    for threshold in np.arange(0.3, 0.9, 0.01):
        answered, right = answers(rows, task, threshold)
        if right >= recipe.wanted_right or answered < 1 - recipe.most_unknown:
            break
    return round(float(threshold), 2)


def answers(rows: pd.DataFrame, task: Task, threshold: float) -> tuple[float, float]:
    """Share of the clips that get an answer, and share of those answers that is right."""
    classes = list(task.classes)
    likely = rows[classes].idxmax(axis=1)
    given = (likely != OTHER) & (rows[classes].max(axis=1) >= threshold)
    if not given.any():
        return 0.0, 1.0
    return float(given.mean()), float((likely == rows[task.column])[given].mean())


def card(recipe: Recipe, clips: pd.DataFrame, found: list[Calibrated], trained_on: str) -> str:
    """The model card, in Markdown."""
    language, gender = found
    sections = [
        _HEAD.format(trained_on=trained_on, languages=", ".join(sorted(recipe.languages))),
        "## Training data\n\n" + _sources(recipe, clips),
        "## Results\n\n"
        + _PROTOCOL.format(foreign=", ".join(recipe.test_languages))
        + _language_table(recipe, language)
        + "\n\n"
        + _gender_table(recipe, gender),
        "## Calibration and thresholds\n\n" + "\n".join(_calibration(each) for each in found),
        _REST,
    ]
    return "\n\n".join(sections)


def _sources(recipe: Recipe, clips: pd.DataFrame) -> str:
    licences = {c.name: c.licence for c in recipe.corpora}
    licences |= {name: text for c in recipe.corpora for name, text in c.sources.items()}
    named = clips.assign(source=clips["source"].where(clips["source"] != "", clips["corpus"]))
    lines = [
        "| source | licence | locales | clips | speakers | labelled female | labelled male |",
        "|---|---|---|---|---|---|---|",
    ]
    for source, rows in named.groupby("source"):
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
    return "\n".join(lines)


def _left_out(recipe: Recipe, rows: pd.DataFrame) -> list[tuple[str, pd.DataFrame]]:
    return [
        (", ".join(sources), rows[rows["round"] == number])
        for number, sources in enumerate(recipe.left_out, start=1)
    ]


def _language_table(recipe: Recipe, found: Calibrated) -> str:
    lines = [
        "| left out | clips | speakers | balanced accuracy (95 % interval), always answering "
        "| answered | right, of these | foreign clips that get `unknown` |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, rows in _left_out(recipe, found.rows):
        foreign = rows[rows["language"] == OTHER]
        own = rows[rows["language"] != OTHER]
        answered, right = answers(own, found.task, found.threshold)
        wrongly, _ = answers(foreign, found.task, found.threshold)
        cells = [
            name,
            f"{len(own):,}",
            f"{own['speaker'].nunique():,}",
            _score(own, found.task, without=OTHER),
            f"{answered:.2f}",
            f"{right:.2f}",
            f"{1 - wrongly:.2f} of {len(foreign):,}",
        ]
        lines.append(f"| {' | '.join(cells)} |")
    return "**Language**\n\n" + "\n".join(lines)


def _gender_table(recipe: Recipe, found: Calibrated) -> str:
    lines = [
        "| left out | clips labelled female / male | speakers | balanced accuracy (95 % interval) "
        "| accuracy |",
        "|---|---|---|---|---|",
    ]
    for name, rows in _left_out(recipe, found.rows):
        own = rows[rows["language"] != OTHER]
        foreign = rows[rows["language"] == OTHER]
        for which, some in ((name, own), (f"{name}: foreign languages", foreign)):
            counts = some["gender"].value_counts()
            if len(counts) < 2:
                continue
            likely = some[list(found.task.classes)].idxmax(axis=1)
            cells = [
                which,
                f"{counts['female']} / {counts['male']}",
                f"{some['speaker'].nunique()}",
                _score(some, found.task),
                f"{(likely == some['gender']).mean():.2f}",
            ]
            lines.append(f"| {' | '.join(cells)} |")
    return "**Gender, as labelled by the speakers**\n\n" + "\n".join(lines)


def _score(rows: pd.DataFrame, task: Task, *, without: str = "") -> str:
    """Balanced accuracy among the classes, and its interval by speaker."""
    classes = [name for name in task.classes if name != without]
    predicted = rows[classes].to_numpy().argmax(axis=1)
    labels = rows[task.column].map({name: n for n, name in enumerate(classes)}).to_numpy()
    there = np.unique(labels).tolist()
    value = np.mean([(predicted[labels == n] == n).mean() for n in there])
    judged = Judged(labels, predicted, rows["speaker"].to_numpy())
    low, high = balanced_accuracy_interval([judged], there, seed=0)
    return f"{value:.2f} ({low:.2f}–{high:.2f})"  # noqa: RUF001


def _calibration(found: Calibrated) -> str:
    return (
        f"- {found.task.name}: temperature {found.temperature:.2f}; expected calibration error "
        f"{found.before:.3f} before, {found.after:.3f} after; `unknown` below a probability of "
        f"{found.threshold:.2f}."
    )


_HEAD = """\
# Model card: the released voice model

`src/voicetraits/released/voice.onnx` tells the language of a recording ({languages}, or other) and
how the speaker would label the gender of the voice (female or male). `make released` builds it and
this card, by the parameters in `released.yaml`; the folders that it reads are no part of the
repository. It was trained on {trained_on}. It holds weights only: no clip, and no speaker id."""

_PROTOCOL = """\
Measured on sources that a network was trained without, speakers included, by one network each with
the same recipe. The released network has heard all sources but the locales {foreign}; it stands for
several networks by distillation. Intervals by bootstrap over speakers.

"""

_REST = """\
## What other recordings get

- Less than 0.3 s of speech, noise, music without voice, tones: `unknown` for both, by a
  [voice activity detector](predict.md), before the network is asked.
- Very short clips: single words are recognised far worse than sentences.
- Other languages: `unknown` most often, as the tables say; never a reason to believe the language.
- Clips that one end of a telephone line, a small room or loud noise has spoilt: worse. Try your own
  with `voicetraits predict`.

## Intended use

Sorting recordings for further work by people, exploring corpora, teaching. The labels are what
speakers say of themselves, in two large classes; other labels exist, and the model has not learned
them. It is wrong about some voices always.

## Misuse

Do not decide anything about a person by it, do not monitor people, do not tell anybody what they
are. Categorising people by their voice is regulated, for instance by the EU AI Act. Common Voice
forbids re-identifying speakers.
"""
