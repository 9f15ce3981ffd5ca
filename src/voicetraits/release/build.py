"""Train a network that is released, and those without some sources that show how good it is."""

from __future__ import annotations

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


def assign(clips: pd.DataFrame, recipe: Recipe, task: Task, *, leave_out: bool) -> pd.DataFrame:
    """Clips of a task with their part: what is left out is the test part, with its speakers.

    What is neither learned from nor tested on is not in the table.

    Args:
        clips: From `gather`.
        recipe: For the corpora and the seed.
        task: Whose labels clips must have; the language may also be a foreign one.
        leave_out: Leave out the recipe's sources and all foreign languages, or nothing.
    """
    foreign = clips["language"].eq(FOREIGN)
    test = leave_out & (clips["source"].isin(recipe.network(task).left_out) | foreign)
    labelled = clips[task.column].isin(task.classes)
    apart = clips["speaker"].isin(clips.loc[test, "speaker"])
    learned = clips["corpus"].isin(recipe.network(task).corpora) & labelled & ~apart
    rng = np.random.default_rng(recipe.seed)
    speakers = np.sort(clips.loc[learned & ~clips["synthetic"], "speaker"].unique())
    watched = rng.permutation(speakers)[: max(1, round(_WATCHED * len(speakers)))]
    part = np.where(clips["speaker"].isin(watched), VALIDATION, TRAINING)
    assigned = clips.assign(part=np.where(test, TEST, part))
    told = labelled | clips[task.column].eq(FOREIGN)
    return assigned[learned | (test & told)].reset_index(drop=True)


def train(
    clips: pd.DataFrame,
    folders: dict[str, Path],
    recipe: Recipe,
    task: Task,
    *,
    live_folder: Path,
    label: str,
) -> Any:
    """Train the network of a task, a keras.Model, on the training part.

    Args:
        clips: From `assign`.
        folders: From `gather`.
        recipe: How.
        task: Which.
        live_folder: dvclive's folder.
        label: What is trained, for the progress line.
    """
    from voicetraits.training.fit_frames import fit_frames

    frames = recipe.network(task).frames
    stored = StoredFrames(clips, folders, budget_gb=4)
    places = {part: np.flatnonzero(clips["part"] == part) for part in (TRAINING, VALIDATION)}
    groups = clips[["corpus", "source", "locale", "gender"]].itertuples(index=False, name=None)
    return fit_frames(
        frames.networks[0],
        task,
        stored,
        [class_numbers(clips, task)],
        places,
        list(groups),
        frames,
        seed=recipe.seed,
        label=label,
        live_folder=live_folder,
    )


def predict(
    network: Any, clips: pd.DataFrame, folders: dict[str, Path], recipe: Recipe, task: Task
) -> pd.DataFrame:
    """The test part, with the probabilities of the task's classes.

    Args:
        network: From `train`.
        clips: From `assign`; some are to be tested on.
        folders: From `gather`.
        recipe: What the network hears of a clip.
        task: Its task.
    """
    from voicetraits.training.crops import SpreadCrops
    from voicetraits.training.fit import predict_heads

    heard = recipe.hearing(task)
    tested = clips[clips["part"] == TEST].reset_index(drop=True)
    stored = StoredFrames(tested, folders, budget_gb=4)
    crops = SpreadCrops(stored, np.arange(len(tested)), frames=heard.crop, crops=heard.crops)
    (found,) = predict_heads(network, crops, batch_size=heard.batch_size)
    return tested.assign(**dict(zip(task.classes, crops.mean_by_clip(found).T, strict=True)))
