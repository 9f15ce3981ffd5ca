"""Train the released network, and what shows how good it is: networks that lack some sources."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, class_numbers
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe
from voicetraits.tasks import Task

# Of the speakers, who are watched while a network trains; they decide nothing.
_WATCHED = 0.04


def tasks(recipe: Recipe) -> Task:
    """What the network learns: the language, and the gender where it is told."""
    language = _task("language", sorted(recipe.languages))
    gender = _task("gender", ["female", "male"])
    return replace(language, name="voice", joined=(language, gender))


def _task(name: str, classes: Sequence[str]) -> Task:
    """A task whose column has its name, and whose classes are labels as they are."""
    merged = {label: label for label in classes}
    return Task(name, name, tuple(classes), merged, undersample="random", metrics=())


def assign(clips: pd.DataFrame, recipe: Recipe, *, left_out: Collection[str]) -> pd.DataFrame:
    """Clips with their part: what is left out is the test part, with its speakers everywhere.

    Args:
        clips: From `gather`.
        recipe: For the seed.
        left_out: Sources; foreign languages are always left out.
    """
    test = clips["source"].isin(left_out) | clips["language"].eq(FOREIGN)
    rng = np.random.default_rng(recipe.seed)
    speakers = np.sort(clips.loc[~test & ~clips["synthetic"], "speaker"].unique())
    watched = rng.permutation(speakers)[: max(1, round(_WATCHED * len(speakers)))]
    part = np.where(clips["speaker"].isin(watched), VALIDATION, TRAINING)
    assigned = clips.assign(part=np.where(test, TEST, part))
    apart = set(assigned.loc[test, "speaker"])
    known = ~test & assigned["speaker"].isin(apart)
    return assigned[~known].reset_index(drop=True)


def train(
    clips: pd.DataFrame,
    folders: dict[str, Path],
    recipe: Recipe,
    *,
    live_folder: Path,
    label: str,
) -> tuple[Any, dict[str, pd.DataFrame]]:
    """Train the network on the training part, and predict the test part.

    Args:
        clips: From `assign`.
        folders: From `gather`.
        recipe: How.
        live_folder: dvclive's folder.
        label: What is trained, for the progress line.

    Returns:
        The keras.Model, and by task the rows of the test part that have a label, with the
        probabilities of the classes.
    """
    from voicetraits.training.crops import SpreadCrops
    from voicetraits.training.fit import predict_heads
    from voicetraits.training.fit_frames import fit_frames

    task, frames = tasks(recipe), recipe.frames
    stored = StoredFrames(clips, folders, budget_gb=4)
    places = {part: np.flatnonzero(clips["part"] == part) for part in (TRAINING, VALIDATION, TEST)}
    groups = clips[["corpus", "source", "locale", "gender"]].itertuples(index=False, name=None)
    network = fit_frames(
        frames.networks[0],
        task,
        stored,
        [class_numbers(clips, each) for each in task.tasks],
        places,
        list(groups),
        frames,
        seed=recipe.seed,
        label=label,
        live_folder=live_folder,
    )
    crops = SpreadCrops(stored, places[TEST], frames=frames.crop, crops=frames.crops)
    found = predict_heads(network, crops, batch_size=frames.batch_size)
    tested = {}
    for each, outputs in zip(task.tasks, found, strict=True):
        rows = clips.iloc[places[TEST]].reset_index(drop=True)
        rows[list(each.classes)] = crops.mean_by_clip(outputs)
        tested[each.name] = rows[rows[each.column].isin([*each.classes, FOREIGN])]
    return network, tested
