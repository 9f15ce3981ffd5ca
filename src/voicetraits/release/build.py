"""Train a network that is released, and those without some sources that show how good it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from voicetraits.dataset.frames import StoredFrames
from voicetraits.dataset.parts import TEST, TRAINING, VALIDATION, class_numbers
from voicetraits.release.clips import FOREIGN
from voicetraits.release.recipe import Recipe, ReleasedNetwork
from voicetraits.tasks import Task
from voicetraits.training.crops import predict_clips
from voicetraits.training.sampling import groups_of, weights_of

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
    network = recipe.network(task)
    test = _left_out(clips, network, leave_out=leave_out)
    labelled = clips[task.column].isin(task.classes)
    apart = clips["speaker"].isin(clips.loc[test, "speaker"])
    learned = clips["corpus"].isin(network.corpora) & labelled & ~apart
    assigned = clips.assign(part=np.where(test, TEST, _part(clips, learned, seed=recipe.seed)))
    told = labelled | clips[task.column].eq(FOREIGN)
    return assigned[learned | (test & told)].reset_index(drop=True)


def assign_spoken(clips: pd.DataFrame, recipe: Recipe, task: Task) -> pd.DataFrame:
    """Clips whose phones the networks of a task learn before, with their part.

    None of what `assign` leaves out for the network that is tested, nor of its speakers: both
    networks begin with the same layers.

    Args:
        clips: From `gather`, with `phones`; see `sample.phones`.
        recipe: For the corpora and the seed.
        task: Which.
    """
    test = _left_out(clips, recipe.network(task), leave_out=True)
    apart = clips["speaker"].isin(clips.loc[test, "speaker"])
    known = clips["corpus"].isin(recipe.learned_phones(task))
    learned = known & clips["phones"].str.len().gt(0) & ~apart
    assigned = clips.assign(part=_part(clips, learned, seed=recipe.seed))
    return assigned[learned].reset_index(drop=True)


def _left_out(clips: pd.DataFrame, network: ReleasedNetwork, *, leave_out: bool) -> pd.Series:
    named = clips["source"].isin(network.left_out)
    return (named | clips["language"].eq(FOREIGN)) & leave_out


def _part(clips: pd.DataFrame, learned: pd.Series, *, seed: int) -> np.ndarray:
    """The part of what is learned: few people are watched meanwhile."""
    rng = np.random.default_rng(seed)
    speakers = np.sort(clips.loc[learned & ~clips["synthetic"], "speaker"].unique())
    watched = rng.permutation(speakers)[: max(1, round(_WATCHED * len(speakers)))]
    return np.where(clips["speaker"].isin(watched), VALIDATION, TRAINING)


def train(
    clips: pd.DataFrame,
    folders: dict[str, Path],
    recipe: Recipe,
    task: Task,
    *,
    live_folder: Path,
    label: str,
    begin: list[np.ndarray] | None,
) -> Any:
    """Train the network of a task, a keras.Model, on the training part.

    Args:
        clips: From `assign`.
        folders: From `gather`.
        recipe: How.
        task: Which.
        live_folder: dvclive's folder.
        label: What is trained, for the progress line.
        begin: From `learn_phones`, of a task whose networks learn them before.
    """
    from voicetraits.training.fit_frames import fit_frames

    frames = recipe.network(task).frames
    stored = StoredFrames(clips, folders, budget_gb=4)
    return fit_frames(
        frames.networks[0],
        task,
        stored,
        [class_numbers(clips, task)],
        _places(clips),
        groups_of(clips),
        frames,
        seed=recipe.seed,
        label=label,
        live_folder=live_folder,
        begin=begin,
    )


def learn_phones(
    clips: pd.DataFrame,
    folders: dict[str, Path],
    recipe: Recipe,
    task: Task,
    *,
    live_folder: Path,
    label: str,
) -> list[np.ndarray]:
    """Weights of layers that know phones, with which the networks of a task begin.

    Args:
        clips: From `assign_spoken`.
        folders: From `gather`.
        recipe: How.
        task: Which.
        live_folder: dvclive's folder.
        label: What is trained, for the progress line.
    """
    from voicetraits.training.phones import fit_phones

    network, places = recipe.network(task), _places(clips)
    people = network.phones.people if network.phones else 0
    return fit_phones(
        network.frames.networks[0],
        task,
        StoredFrames(clips, folders, budget_gb=4),
        list(clips["phones"]),
        places,
        shares(clips.iloc[places[TRAINING]], people=people),
        network.frames,
        seed=recipe.seed,
        label=label,
        live_folder=live_folder,
    )


def _places(clips: pd.DataFrame) -> dict[str, np.ndarray]:
    """Which clips are trained on, and which are watched."""
    return {part: np.flatnonzero(clips["part"] == part) for part in (TRAINING, VALIDATION)}


def shares(clips: pd.DataFrame, *, people: float) -> np.ndarray:
    """How often clips are drawn, in all 1: seldom groups beyond their share, and people as said.

    Args:
        clips: With corpus, source, locale and synthetic.
        people: Share of those that are not synthetic; where all are of one kind, it has all.
    """
    groups = clips[["corpus", "source", "locale"]].itertuples(index=False, name=None)
    weights = weights_of(list(groups))
    synthetic = clips["synthetic"].to_numpy(bool)
    for some, share in ((~synthetic, people), (synthetic, 1 - people)):
        weights[some] *= share / max(weights[some].sum(), 1e-9)
    return weights / weights.sum()


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
    tested = clips[clips["part"] == TEST].reset_index(drop=True)
    stored = StoredFrames(tested, folders, budget_gb=4)
    (found,) = predict_clips(
        *(network, stored, np.arange(len(tested)), recipe.shown),
        batch_size=recipe.network(task).frames.batch_size,
    )
    return tested.assign(**dict(zip(task.classes, found.T, strict=True)))
