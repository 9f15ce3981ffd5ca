"""Undersampling: which clips stay, so that the classes are balanced."""

from __future__ import annotations

import numpy as np
import pandas as pd

from voicetraits.dataset.arrays import Arrays, Chosen
from voicetraits.dataset.parts import TRAINING
from voicetraits.params import Protocol
from voicetraits.tasks import Task


def choose(
    clips: pd.DataFrame,
    arrays: Arrays,
    task: Task,
    protocol: Protocol,
    *,
    selection_clips: int,
    seed: int,
) -> np.ndarray:
    """Choose the clips that a model is trained and tested on.

    Args:
        clips: Split table with columns label and part.
        arrays: Shape (clips, 68, frames), in the same order.
        task: Says which sampler.
        protocol: Whether the sampler sees the training part or everything. What it does not see
            stays.
        selection_clips: The most clips that one-sided selection is given.
        seed: Of the sampler.

    Returns:
        Their places, ascending, shape (chosen,).
    """
    pool = np.arange(len(clips))
    # "everything": the sampler sees all parts together, after the assignment; that gives the same
    # distribution as undersampling before the split.
    if protocol.undersample == "training":
        pool = pool[clips["part"] == TRAINING]
    kept = undersample(
        Chosen(arrays, pool),
        clips["label"].to_numpy()[pool],
        task,
        selection_clips=selection_clips,
        seed=seed,
    )
    unseen = np.setdiff1d(np.arange(len(clips)), pool)
    return np.sort(np.concatenate([pool[kept], unseen]))


def undersample(
    arrays: Arrays, labels: np.ndarray, task: Task, *, selection_clips: int, seed: int
) -> np.ndarray:
    """Choose clips so that the classes are balanced.

    "random": to the size of the smallest class. "one_sided": one-sided selection, which leaves out
    clips of the larger classes that are redundant or at the border (Kubat and Matwin, ICML 1997),
    on the unscaled values. It compares every clip with every other, and so is given
    `selection_clips` at most, drawn at random; the others are left out, and a line says so.

    Args:
        arrays: Shape (clips, 68, frames); read where one-sided selection needs them.
        labels: Shape (clips,), class names.
        task: Says which sampler.
        selection_clips: The most clips that one-sided selection is given.
        seed: Of the sampler.

    Returns:
        The indices kept, ascending, shape (kept,).
    """
    if len(np.unique(labels)) < 2:
        return np.arange(len(labels))
    if task.undersample == "random":
        return _random(labels, seed=seed)
    given = _draw(labels, selection_clips, seed=seed)
    if len(given) < len(labels):
        print(
            f"{task.name}: one-sided selection is given {len(given):,} of {len(labels):,} clips, "
            "drawn at random in the same shares of every class; the others are not used "
            "(train.selection_clips)"
        )
    return given[_one_sided(Chosen(arrays, given), labels[given], seed=seed)]


def _random(labels: np.ndarray, *, seed: int) -> np.ndarray:
    from imblearn.under_sampling import RandomUnderSampler

    sampler = RandomUnderSampler(random_state=seed)
    sampler.fit_resample(np.arange(len(labels))[:, None], labels)
    return np.sort(sampler.sample_indices_)


def _draw(labels: np.ndarray, most: int, *, seed: int) -> np.ndarray:
    """Places of at most so many clips, ascending, in the same shares of every class."""
    if len(labels) <= most:
        return np.arange(len(labels))
    rng = np.random.default_rng(seed)
    drawn = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        drawn.append(rng.choice(places, max(1, len(places) * most // len(labels)), replace=False))
    return np.sort(np.concatenate(drawn))


def _one_sided(arrays: Arrays, labels: np.ndarray, *, seed: int) -> np.ndarray:
    from imblearn.under_sampling import OneSidedSelection

    # Class after class: where two are the smallest, imbalanced-learn spares the first by name, but
    # compares with the one that it meets first, and leaves a single clip of that.
    order = np.argsort(labels, kind="stable")
    classes, counts = np.unique(labels, return_counts=True)
    # All but the smallest, as by default; but a single clip cannot be compared with its like.
    thinned = [name for name in classes[counts > 1] if name != classes[counts.argmin()]]
    if not thinned:
        return np.arange(len(labels))
    sampler = OneSidedSelection(sampling_strategy=thinned, random_state=seed)
    # Float32 in one piece: other arrays would be copied once more.
    sampler.fit_resample(arrays[order].reshape(len(order), -1), labels[order])
    return np.sort(order[sampler.sample_indices_])
